/**
 * A timing wheel: when something is due says in which slot it waits. Slots of level 0 are `baseMs` wide, those of each
 * further level `fan` times as wide. Times are milliseconds since the Unix epoch.
 */
export interface SlotPlace {
  readonly level: number;
  /** `number * width` is when the slot begins. */
  readonly number: number;
}

/** 16 s: what is due sooner than one or two of these is known by its time, in memory. */
const baseMs = 2 ** 14;
const fan = 16;
const levels = 5;
/**
 * Slots of a level that lie ahead at most. Twice the fan, so that what moves half a slot before its slot begins always
 * finds room in a lower level.
 */
const reach = 2 * fan;

/** The longest delay that finds a slot: 397 days. */
export const wheelMs: number = reach * baseMs * fan ** (levels - 1);

export function widthMs(level: number): number {
  return baseMs * fan ** level;
}

/** Where what is due then waits. */
export function placeFor(dueAt: number, now: number): SlotPlace {
  let level = 0;
  while (level < levels - 1 && dueAt - now >= reach * widthMs(level)) level += 1;
  return { level, number: Math.floor(dueAt / widthMs(level)) };
}

/** When the slot is to be read: at level 0 for its times, else to move what it has to lower levels. */
export function opensAt({ level, number }: SlotPlace): number {
  const width = widthMs(level);
  return number * width - (level === 0 ? width : width / 2);
}

export function endsAt({ level, number }: SlotPlace): number {
  return (number + 1) * widthMs(level);
}

export function slotName({ level, number }: SlotPlace): string {
  return `d${level}.${number}`;
}

/** Undefined for what is no slot's name. */
export function parseSlotName(name: string): SlotPlace | undefined {
  const found = /^d(\d)\.(\d+)$/.exec(name);
  return found === null ? undefined : { level: Number(found[1]), number: Number(found[2]) };
}
