import { type Admin, createAdmin, createLogger } from '@rookery/service';
import type { Board } from './board.ts';
import { BOARD_PAGE } from './html.ts';

/** The page's server: `/` is the page, `/boards` what it shows, once or as a feed. */
export interface BoardServer extends AsyncDisposable {
  /** Where people open it; the token, where one is needed, is left to them. */
  readonly url: string;
  /** What is shown has changed. Watchers get it soon, and not more often than their browsers can draw it. */
  changed(): void;
}

export interface BoardServerOptions {
  readonly host: string;
  readonly port: number;
  /** Needed beyond loopback. */
  readonly token?: string;
  readonly boards: () => readonly Board[];
}

const REFRESH_MS = 250;
/** For clocks on the page. */
const IDLE_REFRESH_MS = 1_000;
/** Ten thousand hosts every two seconds. */
const REFRESH_MS_PER_HOST = 0.2;
/** Ten thousand hosts and their links. */
const FEED_BYTES_MAX = 8 * 2 ** 20;

/** @throws ServiceError LISTEN_FAILED, ADMIN_UNPROTECTED */
export async function serveBoards({ host, port, token, boards }: BoardServerOptions): Promise<BoardServer> {
  // What goes wrong with a watcher is nobody's business on a terminal where a push is drawn.
  const log = createLogger({ name: 'rookery-deploy', level: 'silent' });
  const admin: Admin = createAdmin({ log, host, port, token, limits: { feedBytesMax: FEED_BYTES_MAX } });
  admin.page('/', BOARD_PAGE);
  admin.route('GET', '/boards', () => boards());
  const feed = admin.feed('/boards/live', () => boards());
  await admin.start();

  let sentAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  const wakeAt = (time: number): void => {
    if (time >= due) return;
    due = time;
    clearTimeout(timer);
    timer = setTimeout(send, Math.max(0, time - performance.now())).unref();
  };
  const pauseMs = (): number =>
    Math.max(REFRESH_MS, REFRESH_MS_PER_HOST * boards().reduce((sum, { hosts }) => sum + hosts.length, 0));
  const send = (): void => {
    sentAt = performance.now();
    due = Number.POSITIVE_INFINITY;
    feed.refresh();
    wakeAt(sentAt + Math.max(IDLE_REFRESH_MS, feed.watchers === 0 ? 0 : pauseMs()));
  };
  wakeAt(performance.now() + IDLE_REFRESH_MS);
  return {
    url: `${admin.address!.url}/`,
    changed() {
      if (feed.watchers > 0 && due > sentAt + REFRESH_MS) wakeAt(sentAt + pauseMs());
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      due = Number.NEGATIVE_INFINITY;
      // Nobody may miss how it ended.
      feed.publish(boards());
      await admin.stop();
    },
  };
}
