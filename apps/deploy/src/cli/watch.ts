import { useColor } from '@rookery/service';
import { doneText, progressLines } from '../progress/lines.ts';
import { createLiveView } from '../progress/live.ts';
import type { PushEvent } from '../push/events.ts';
import type { Reporter } from './report.ts';

/** A push as people follow it: drawn on a terminal, in lines elsewhere. */
export interface Watching extends Disposable {
  onEvent(event: PushEvent): void;
}

export function watchPush(reporter: Reporter): Watching {
  const { terminal } = reporter;
  const { env } = process;
  if (terminal === undefined || env.TERM === 'dumb') {
    const onEvent = progressLines((text) => reporter.say(text));
    return { onEvent, [Symbol.dispose]: () => undefined };
  }
  const live = createLiveView({ terminal, color: useColor(terminal, env), unicode: isUtf8(env) });
  const outputs = new Map<string, string | undefined>();
  return {
    onEvent(event) {
      live.onEvent(event);
      if (event.event === 'host' && event.output !== undefined) outputs.set(event.host, event.output);
      if (event.event !== 'done') return;
      live.end();
      reporter.say(`\n${doneText(event, outputs)}\n`);
    },
    // A push that fails as a whole: its reason is written below.
    [Symbol.dispose]: () => live.end(),
  };
}

/** As locale(7) has it: the first of them that is set decides. Terminals are UTF-8 where nobody says otherwise. */
function isUtf8({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  const locale = LC_ALL || LC_CTYPE || LANG;
  return locale === undefined || /utf-?8/i.test(locale);
}
