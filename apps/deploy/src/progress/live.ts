import type { PushEvent } from '../push/events.ts';
import { createDeployment } from './deployment.ts';
import { renderFrame, type Screen, width } from './frame.ts';

/** A push on a terminal, drawn over and over at the same place. */
export interface LiveView {
  onEvent(event: PushEvent): void;
  /** Draws for the last time; what was drawn stays, and whatever is written next stands below it. */
  end(): void;
}

export interface LiveViewOptions {
  readonly terminal: Terminal;
  readonly color: boolean;
  readonly unicode: boolean;
  readonly now?: () => number;
}

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

const FRAME_EVERY_MS = 100;
/** Without events, for the clock. */
const IDLE_EVERY_MS = 1_000;

/** Terminals that know it show a frame only when it is whole: https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036 */
const BEGIN = '\x1b[?2026h';
const END = '\x1b[?2026l';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/**
 * Nothing of the terminal's is changed (no cursor hidden, no other screen, no mode), so nothing needs to be restored:
 * however this process ends, the prompt comes below the last frame.
 */
export function createLiveView(options: LiveViewOptions): LiveView {
  const { terminal, color, unicode, now = () => performance.now() } = options;
  const deployment = createDeployment();
  let drawn: string[] = [];
  let drawnText = '';
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const draw = (): void => {
    clearTimeout(timer);
    timer = ended ? undefined : setTimeout(draw, IDLE_EVERY_MS);
    timer?.unref();
    // What can't say how large it is counts as the smallest usual one.
    const { columns = 80, rows = 24 } = terminal;
    const screen: Screen = { columns: Math.max(1, columns), rows: Math.max(2, rows), color, unicode };
    const lines = renderFrame(deployment, now(), screen);
    drawnAt = now();
    const text = lines.join('\n');
    if (text === drawnText || lines.length === 0) return;
    const up = rowsOf(drawn, screen.columns);
    const back = up === 0 ? '' : `\x1b[${up}A`;
    const body = lines.map((line) => `${line}${CLEAR_LINE}\n`).join('');
    terminal.write(`${BEGIN}\r${back}${body}${CLEAR_BELOW}${END}`);
    drawn = lines;
    drawnText = text;
  };
  const soon = (): void => {
    const waitMs = drawnAt + FRAME_EVERY_MS - now();
    clearTimeout(timer);
    timer = setTimeout(draw, Math.max(0, waitMs));
  };
  const onResize = (): void => {
    // What stands there was wrapped anew: it has to be drawn even if its text is the same.
    drawnText = '';
    draw();
  };
  terminal.on('resize', onResize);
  return {
    onEvent(event) {
      deployment.handle(event, now());
      if (!ended) soon();
    },
    end() {
      if (ended) return;
      ended = true;
      terminal.off('resize', onResize);
      draw();
    },
  };
}

/** So many rows they take up on a terminal that has wrapped them. */
function rowsOf(lines: readonly string[], columns: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(width(line) / columns)), 0);
}
