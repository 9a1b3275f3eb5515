/** `rookery-bus monitor`: how daemons, groups and sessions are, anew each second. */
import { setTimeout as delay } from 'node:timers/promises';
import { approximateBytes } from '@rookery/service';
import type { AdminClient } from '../cli/admin-client.ts';
import { forPeople, look, lookAtSessions, type SessionsSeen, type Status, totalOf } from '../cli/status.ts';

const LOOK_MS = 1000;

export interface Screen {
  readonly write: (text: string) => void;
  /** Undefined where it is no terminal: then a line is told each time. */
  readonly size: () => { readonly rows: number; readonly columns: number } | undefined;
}

/** Runs until the signal is given. A daemon that doesn't answer is shown as that, and asked again. */
export async function monitor(admin: AdminClient, screen: Screen, signal: AbortSignal): Promise<void> {
  const full = screen.size() !== undefined;
  if (full) screen.write(ENTER);
  try {
    let before: SessionsSeen | undefined;
    while (!signal.aborted) {
      let text: string;
      try {
        before ??= await lookAtSessions(admin);
        await delay(LOOK_MS, undefined, { signal });
        const { status, seen } = await look(admin, before);
        before = seen;
        text = full ? forPeople(status) : lineOf(status);
      } catch (error) {
        if (signal.aborted) return;
        before = undefined;
        text = `${(error as Error).message}\n`;
        await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
      const size = screen.size();
      screen.write(size === undefined ? text : frame(text, new Date(), size));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (full) screen.write(LEAVE);
  }
}

/** The terminal's other screen without a cursor, so that what stood there is there again afterwards. */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** A screenful: line by line over what was there, so that it doesn't flicker. */
export function frame(
  text: string,
  now: Date,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): string {
  const lines = text.trimEnd().split('\n');
  const shown = lines.slice(0, Math.max(0, rows - 1));
  const more = lines.length - shown.length;
  const last = `${now.toISOString().slice(11, 19)} UTC, each second; Ctrl-C ends it${more > 0 ? `; ${more} more lines` : ''}`;
  const drawn = [...shown, last].map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`);
  return `${HOME}${drawn.join('\r\n')}${CLEAR_BELOW}`;
}

/** For logs and pipes: docs/run-the-bus.md. */
function lineOf(status: Status): string {
  const { time, ring, groups, sessions } = status;
  const { received, delivered, outboxBytes } = totalOf(sessions);
  return `${time.toISOString()} ${ring.name} ${ring.state} daemons=${ring.members.length} groups=${groups.length} sessions=${sessions.length} in=${received}/s out=${delivered}/s waiting=${approximateBytes(outboxBytes).replace(' ', '')}\n`;
}
