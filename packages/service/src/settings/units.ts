const DURATION_MS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
};

/**
 * Milliseconds of `500`, `500ms`, `2s`, `1.5h`, `7d` (`m` and `min` are minutes; no unit means milliseconds).
 * Undefined when the text is not a duration or not a whole number of milliseconds.
 */
export function parseDuration(text: string): number | undefined {
  return scaled(text, DURATION_MS);
}

/**
 * Bytes of `65536`, `64k`, `16MiB`, `10MB` (`k`, `KiB` are 1024; `kB`, `KB` are 1000; case does not matter; no unit means bytes).
 * Undefined when the text is not a size or not a whole number of bytes.
 */
export function parseBytes(text: string): number | undefined {
  return scaled(text, BYTES);
}

/** The shortest exact spelling that `parseDuration` reads back: 90000 is `90s`, 3600000 is `1h`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's']) {
    if (ms !== 0 && ms % DURATION_MS[unit]! === 0) return `${ms / DURATION_MS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

/** The shortest exact spelling that `parseBytes` reads back: 16777216 is `16MiB`. */
export function formatBytes(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const size = BYTES[unit.toLowerCase()]!;
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** Bytes as people read them, to one decimal: 1536 is `1.5 KiB`. */
export function approximateBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** unit;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match && Object.hasOwn(units, match[2]!.toLowerCase()) ? match[2]!.toLowerCase() : undefined;
  if (match === null || unit === undefined) return undefined;
  const exact = Number(match[1]) * units[unit]!;
  const whole = Math.round(exact);
  // 1.1s is 1100.0000000000002 in binary floating point, and still a whole number to whoever wrote it.
  return Math.abs(exact - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : undefined;
}
