/** How far long work is: a bar on a terminal, which is gone when the work is done; elsewhere nothing. */
import { SingleBar } from 'cli-progress';

export interface Progress extends Disposable {
  /** Without a total there is only a count. */
  update(done: number, total?: number): void;
}

export function showProgress(what: string, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { update: () => undefined, [Symbol.dispose]: () => undefined };
  const counted = new SingleBar({
    stream,
    clearOnComplete: true,
    barsize: 30,
    hideCursor: true,
    format: (_options, { value, total }) => {
      const rate = Math.round(value / Math.max(0.001, (performance.now() - begun) / 1000));
      const line = `${what} ${value.toLocaleString('en-US')}`;
      if (total === 0) return `${line}  ${rate.toLocaleString('en-US')}/s`;
      const filled = Math.min(30, Math.floor((30 * value) / total));
      const bar = `${'█'.repeat(filled)}${'░'.repeat(30 - filled)}`;
      return `${line} of ${total.toLocaleString('en-US')}  ${bar}  ${rate.toLocaleString('en-US')}/s`;
    },
  });
  const begun = performance.now();
  let shown = false;
  return {
    update(done, total = 0) {
      if (!shown) counted.start(total, done);
      else {
        counted.setTotal(total);
        counted.update(done);
      }
      shown = true;
    },
    [Symbol.dispose]() {
      if (shown) counted.stop();
    },
  };
}
