import { errorMessage } from '@rookery/service';
import { historyFolder } from '../history/folder.ts';
import { createRecorder, type Note } from '../history/recorder.ts';
import { createHistory } from '../history/store.ts';
import { identify } from '../host/process-identity.ts';
import type { PushEvent } from '../push/events.ts';

/** A push that is written down as it goes. */
export interface Recording extends AsyncDisposable {
  onEvent(event: PushEvent): void;
}

/** How much of what hosts did is forgotten when this process is killed. */
const WRITE_EVERY_MS = 5_000;

/** A history that can't be written costs the push nothing: `onProblem` is told once. */
export async function recordPush(
  given: string | undefined,
  onProblem: (message: string) => void,
): Promise<Recording> {
  const folder = historyFolder(given, process.env);
  if (folder === undefined) return { onEvent: () => undefined, [Symbol.asyncDispose]: async () => undefined };
  const history = createHistory(folder);
  const recorder = createRecorder({
    folder: process.cwd(),
    process: await identify(process.pid),
    time: () => new Date().toISOString(),
  });
  let failed = false;
  // One after the other: the last word on a host counts.
  let writing: Promise<void> = Promise.resolve();
  const write = (note: Note | undefined): void => {
    if (note === undefined || failed) return;
    writing = writing.then(async () => {
      try {
        if (!failed) await history.write(note);
      } catch (error) {
        failed = true;
        onProblem(errorMessage(error));
      }
    });
  };
  const timer = setInterval(() => write(recorder.changes()), WRITE_EVERY_MS).unref();
  return {
    onEvent: (event) => write(recorder.handle(event, performance.now())),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await writing;
    },
  };
}
