import { errorMessage } from '@rookery/service';
import { historyFolder } from '../history/folder.ts';
import type { DeploymentRecord, Note } from '../history/record.ts';
import { createRecorder } from '../history/recorder.ts';
import { createHistory } from '../history/store.ts';
import { identify } from '../process-identity.ts';
import type { PushEvent } from '../push/events.ts';
import type { Reporter } from './report.ts';

/** Where a deployment is written down, one note after the other: the last word on a host counts. */
export interface Notebook {
  write(note: Note): void;
  /** Waits until all is written; says so where it couldn't be. */
  end(reporter: Reporter): Promise<void>;
}

/** What a record says of this process. */
export async function thisProcess(): Promise<Pick<DeploymentRecord, 'folder' | 'process'>> {
  return { folder: process.cwd(), process: await identify(process.pid) };
}

/** A history that can't be written costs the deployment nothing. */
export function openNotebook(given: string | undefined): Notebook {
  const folder = historyFolder(given, process.env);
  if (folder === undefined) return { write: () => undefined, end: async () => undefined };
  const history = createHistory(folder);
  let problem: string | undefined;
  let writing: Promise<void> = Promise.resolve();
  return {
    write(note) {
      writing = writing.then(async () => {
        if (problem !== undefined) return;
        await history.write(note).catch((error: unknown) => {
          problem = errorMessage(error);
        });
      });
    },
    async end(reporter) {
      await writing;
      if (problem === undefined) return;
      reporter.event('history_problem', { message: problem });
      reporter.say(`Not written down: ${problem}\n`);
    },
  };
}

/** A push that is written down as it goes. */
export interface Recording extends AsyncDisposable {
  onEvent(event: PushEvent): void;
}

/** How much of what hosts did is forgotten when this process is killed. */
const WRITE_EVERY_MS = 5_000;

export async function recordPush(given: string | undefined, reporter: Reporter): Promise<Recording> {
  const notebook = openNotebook(given);
  const recorder = createRecorder({
    ...(await thisProcess()),
    time: () => new Date().toISOString(),
  });
  const write = (note: Note | undefined): void => {
    if (note !== undefined) notebook.write(note);
  };
  const timer = setInterval(() => write(recorder.changes()), WRITE_EVERY_MS).unref();
  return {
    onEvent: (event) => write(recorder.handle(event, performance.now())),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await notebook.end(reporter);
    },
  };
}
