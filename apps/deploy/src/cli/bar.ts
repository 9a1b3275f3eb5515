import { approximateBytes } from '@rookery/service';
import { SingleBar } from 'cli-progress';

export interface Bar {
  update(phase: string, doneBytes: number, totalBytes: number): void;
  stop(): void;
}

/** A bar on a terminal, which is gone when it stops. */
export function showBar(stream: NodeJS.WriteStream): Bar {
  const bar = new SingleBar({
    stream,
    clearOnComplete: true,
    barsize: 30,
    format: '{phase} [{bar}] {percentage} %  {done} of {all}  {rate}/s',
  });
  const begun = performance.now();
  let shown = false;
  return {
    update(phase, doneBytes, totalBytes) {
      const seconds = Math.max(0.001, (performance.now() - begun) / 1000);
      const words = {
        phase,
        done: approximateBytes(doneBytes),
        all: approximateBytes(totalBytes),
        rate: approximateBytes(Math.round(doneBytes / seconds)),
      };
      if (shown) {
        bar.setTotal(totalBytes);
        bar.update(doneBytes, words);
      } else bar.start(totalBytes, doneBytes, words);
      shown = true;
    },
    stop() {
      if (shown) bar.stop();
      shown = false;
    },
  };
}
