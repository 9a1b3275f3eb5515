/// <reference lib="dom" preserve="true" />
// Runs in the browser, as `program.ts` does: its source text is what is sent.
import type { Rookery } from '@rookery/service';
import type { Board } from './board.ts';

/** What the rest of the page knows of hosts. */
export interface LinksLook {
  /** The host that was chosen. */
  readonly selected: string | undefined;
  readonly toneOf: (state: string) => string;
  /** Whether a host in this state has the whole release. */
  readonly has: (state: string) => boolean;
}

export type DrawLinks = typeof drawLinks;

/** Draws who is joined with whom: all hosts on a circle, in their order; the origins in the middle. */
export function drawLinks(
  { by, count }: Pick<Rookery, 'by' | 'count'>,
  { hosts, links, others }: Board,
  { selected, toneOf, has }: LinksLook,
): void {
  const canvas = by<HTMLCanvasElement>('links');
  const size = canvas.clientWidth;
  const scale = devicePixelRatio;
  if (size === 0) return;
  canvas.width = canvas.height = Math.round(size * scale);
  const ink = canvas.getContext('2d')!;
  ink.scale(scale, scale);
  const middle = size / 2;
  const radius = middle - 12;
  const dot = Math.max(1.5, Math.min(6, (radius * 2) / Math.max(8, hosts.length)));
  const ringed = hosts.filter(({ state }) => state !== 'origin').length;
  const central = hosts.length - ringed + others.length;
  let onRing = 0;
  let inMiddle = 0;
  const places = [...hosts.map(({ state }) => state), ...others.map(() => 'origin')].map((state) => {
    if (state === 'origin') {
      const angle = (2 * Math.PI * inMiddle++) / Math.max(1, central);
      const away = central > 1 ? radius / 5 : 0;
      return [middle + away * Math.sin(angle), middle - away * Math.cos(angle)] as const;
    }
    const angle = (2 * Math.PI * onRing++) / Math.max(1, ringed);
    return [middle + radius * Math.sin(angle), middle - radius * Math.cos(angle)] as const;
  });
  const colors: Readonly<Record<string, string>> = {
    faint: '--faint',
    plain: '--text',
    busy: '--busy',
    good: '--good',
    warn: '--warn',
    bad: '--bad',
    accent: '--accent',
  };
  // light-dark() is only resolved where it is used: the canvas's own colour tells which.
  const dyes = new Map<string, string>();
  const dye = (tone: string): string => {
    let color = dyes.get(tone);
    if (color === undefined) {
      canvas.style.color = `var(${colors[tone] ?? '--text'})`;
      color = getComputedStyle(canvas).color;
      dyes.set(tone, color);
    }
    return color;
  };
  const at = hosts.findIndex(({ name }) => name === selected);
  const line = (pairs: Board['links'], color: string, alpha: number, width: number): void => {
    ink.globalAlpha = alpha;
    ink.strokeStyle = color;
    ink.lineWidth = width;
    ink.beginPath();
    for (const [one, other] of pairs) {
      const [from, to] = [places[one], places[other]];
      if (from === undefined || to === undefined) continue;
      ink.moveTo(...from);
      ink.lineTo(...to);
    }
    ink.stroke();
    ink.globalAlpha = 1;
  };
  line(links, dye('plain'), Math.max(0.015, Math.min(0.35, 30 / Math.max(1, links.length))), 1);
  if (at >= 0)
    line(
      links.filter(([one, other]) => one === at || other === at),
      dye('accent'),
      1,
      1.5,
    );
  for (const [index, [x, y]] of places.entries()) {
    const host = hosts[index];
    const state = host?.state ?? 'origin';
    ink.fillStyle = ink.strokeStyle = dye(toneOf(state));
    ink.beginPath();
    // Shapes: a square is an origin, a disc has it, a ring doesn't yet, a cross has failed.
    if (state === 'origin') ink.rect(x - 4, y - 4, 8, 8);
    else if (host?.failure !== undefined) {
      ink.moveTo(x - dot, y - dot);
      ink.lineTo(x + dot, y + dot);
      ink.moveTo(x + dot, y - dot);
      ink.lineTo(x - dot, y + dot);
      ink.lineWidth = 2;
      ink.stroke();
      continue;
    } else ink.arc(x, y, dot, 0, 2 * Math.PI);
    if (state === 'origin' || has(state)) ink.fill();
    else {
      ink.lineWidth = 1.5;
      ink.stroke();
    }
  }
  canvas.style.color = '';
  canvas.setAttribute('aria-label', `${count(links.length)} links between ${count(places.length)} peers`);
}
