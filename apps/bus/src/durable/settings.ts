/** What a daemon's settings say of a kept group. */
export interface DurableSettings {
  /** Messages are let go of when they are so old; 0: never. */
  readonly retentionMs: number;
  /** And when behind them stands so much; 0: any amount. */
  readonly retentionBytes: number;
  /** The last message of each key is kept as long as it is that, and shown to who comes late. */
  readonly lastValue: boolean;
  /** Keys whose last message is shown. */
  readonly lastValueKeys: number;
}

/** Whether a name is meant by a pattern: a name, or a beginning with `*` behind. */
function isMeant(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** The most exact one that means the name; `undefined` if none does. */
export function patternOf(name: string, patterns: readonly string[]): string | undefined {
  let found: string | undefined;
  for (const pattern of patterns) {
    if (pattern === name) return pattern;
    if (isMeant(pattern, name) && (found === undefined || pattern.length > found.length)) found = pattern;
  }
  return found;
}

/** The settings of the most exact pattern; `undefined` if none means the name. */
export function settingsOf(
  name: string,
  patterns: Readonly<Record<string, DurableSettings>>,
): DurableSettings | undefined {
  if (Object.hasOwn(patterns, name)) return patterns[name];
  const found = patternOf(name, Object.keys(patterns));
  return found === undefined ? undefined : patterns[found];
}
