/** What objects move to their front, whatever the order was in which it came. */
const WHOLE_NUMBER = /^(?:0|[1-9]\d*)$/;
const KEY = `(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')`;
const KEYS = `${KEY}(?:\\s*\\.\\s*${KEY})*`;
const HEADER = new RegExp(`^\\s*\\[\\s*(${KEYS})\\s*\\]`);
const ASSIGNMENT = new RegExp(`^\\s*(${KEYS})\\s*=`);

/**
 * Hosts in the order of the inventory's text: it is the order of a rollout, and the parser's objects lose it where names
 * are whole numbers. What is not found stands behind the others.
 */
export function inOrderOf<T>(text: string, hosts: Readonly<Record<string, T>>): [name: string, host: T][] {
  const entries = Object.entries(hosts);
  if (!entries.some(([name]) => WHOLE_NUMBER.test(name))) return entries;
  const places = new Map<string, number>();
  for (const [first, name] of keysOf(text)) {
    if (first === 'hosts' && name !== undefined && !places.has(name)) places.set(name, places.size);
  }
  const placeOf = (name: string): number => places.get(name) ?? places.size;
  return entries.sort(([a], [b]) => placeOf(a) - placeOf(b));
}

/** Every key that a line of TOML begins with, with the table that it is in. */
function* keysOf(text: string): Generator<string[]> {
  let table: string[] = [];
  let within: string | undefined;
  for (const line of text.split('\n')) {
    if (within === undefined) {
      const header = HEADER.exec(line);
      const assignment = ASSIGNMENT.exec(line);
      if (header !== null) {
        table = steps(header[1]!);
        yield table;
      } else if (assignment !== null) yield [...table, ...steps(assignment[1]!)];
    }
    // Lines of a string of several lines are no keys.
    for (const [quotes] of line.matchAll(/"""|'''/g)) {
      if (within === undefined) within = quotes;
      else if (within === quotes) within = undefined;
    }
  }
}

function steps(dotted: string): string[] {
  return (dotted.match(new RegExp(KEY, 'g')) ?? []).map((step) => step.replace(/^["']|["']$/g, ''));
}
