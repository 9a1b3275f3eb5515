/**
 * A syslog message's fields: RFC 5424, else RFC 3164 as it is in use (nginx among others), else the whole text. Pure;
 * throws for no input.
 */

export interface SyslogEvent {
  readonly facility: string;
  readonly severity: string;
  /** RFC 3339; null if there was none. RFC 3164's has no year and no zone: this machine's are taken. */
  readonly time: string | null;
  readonly host: string | null;
  readonly app: string | null;
  readonly pid: string | null;
  readonly message_id: string | null;
  readonly structured_data: Readonly<Record<string, Readonly<Record<string, string>>>> | null;
  readonly message: string;
  /** In neither form: `message` is all of it. */
  readonly malformed?: true;
}

const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['ntp', 'audit', 'alert', 'clock'],
  ...Array.from({ length: 8 }, (_, index) => `local${index}`),
];
const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** user.notice, which RFC 3164 4.3.3 gives to what has no priority. */
const DEFAULT_PRIORITY = 13;
/** RFC 5424 bounds none of them: names are kept short, so that each match below is. */
const STRUCTURED_MAX = 64;
const HALF_A_YEAR_MS = 183 * 24 * 3600 * 1000;

const HEADER_5424 =
  /^1 (-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /;
const HEADER_3164 = /^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) /;
/** A tag ends with a colon, or a process id and one; RFC 3164 gives it 32 characters, programs take more. */
const TAG = /^([^\s:[\]]{1,48})(?:\[([^\]\s]{1,48})\])?: ?/;

/** @param now what RFC 3164's times are near to */
export function parseSyslog(bytes: Buffer, now: Date): SyslogEvent {
  const text = bytes.toString('utf8').replace(/[\0\r\n]+$/, '');
  const priority = /^<(\d{1,3})>/.exec(text);
  const value = priority === null ? DEFAULT_PRIORITY : Number(priority[1]);
  if (priority === null || value > 191) return malformed(text);
  const rest = text.slice(priority[0].length);
  const names = { facility: FACILITIES[value >> 3]!, severity: SEVERITIES[value & 7]! };
  const fields = fieldsOf5424(rest) ?? fieldsOf3164(rest, now);
  return fields === undefined ? { ...malformed(rest), ...names } : { ...names, ...fields };
}

type Fields = Omit<SyslogEvent, 'facility' | 'severity'>;

const NOTHING = { time: null, host: null, app: null, pid: null, message_id: null, structured_data: null };

function malformed(message: string): SyslogEvent {
  return { facility: 'user', severity: 'notice', ...NOTHING, message, malformed: true };
}

function fieldsOf5424(text: string): Fields | undefined {
  const header = HEADER_5424.exec(text);
  if (header === null) return undefined;
  const [all, time, host, app, pid, id] = header as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (time !== '-' && Number.isNaN(Date.parse(time))) return undefined;
  const structured = structuredData(text, all.length);
  if (structured === undefined) return undefined;
  const message = text.slice(structured.end);
  if (message !== '' && message[0] !== ' ') return undefined;
  return {
    time: known(time),
    host: known(host),
    app: known(app),
    pid: known(pid),
    message_id: known(id),
    structured_data: structured.data,
    // Behind the space may stand a byte order mark (RFC 5424 6.4).
    message: message.slice(1).replace(/^\ufeff/, ''),
  };
}

function known(text: string): string | null {
  return text === '-' ? null : text;
}

/** RFC 5424 6.3. Undefined for what is none. */
function structuredData(
  text: string,
  from: number,
): { data: SyslogEvent['structured_data']; end: number } | undefined {
  if (text[from] === '-') return { data: null, end: from + 1 };
  const data: Record<string, Record<string, string>> = Object.create(null);
  const name = /([!#-<>-Z^-~\\[]{1,32})/y;
  // A value: quotes, backslashes and closing brackets stand behind a backslash.
  const parameter = / ([!#-<>-Z^-~\\[]{1,32})="((?:[^"\\\]]|\\[\s\S])*)"/y;
  let at = from;
  let elements = 0;
  while (text[at] === '[') {
    name.lastIndex = at + 1;
    const id = name.exec(text)?.[1];
    if (id === undefined || ++elements > STRUCTURED_MAX) return undefined;
    at += 1 + id.length;
    const element: Record<string, string> = Object.create(null);
    for (let count = 0; ; count++) {
      parameter.lastIndex = at;
      const found = parameter.exec(text);
      if (found === null) break;
      if (count === STRUCTURED_MAX) return undefined;
      element[found[1]!] = found[2]!.replace(/\\(["\\\]])/g, '$1');
      at += found[0].length;
    }
    if (text[at] !== ']') return undefined;
    data[id] = element;
    at++;
  }
  return elements === 0 ? undefined : { data, end: at };
}

function fieldsOf3164(text: string, now: Date): Fields | undefined {
  const header = HEADER_3164.exec(text);
  if (header === null) return undefined;
  const time = timeOf(header, now);
  if (time === undefined) return undefined;
  let rest = text.slice(header[0].length);
  // A host may be left out (nginx's nohostname): then the tag is first, and has its colon.
  let host: string | null = null;
  let tag = TAG.exec(rest);
  if (tag === null) {
    const first = /^([!-~]{1,255}) /.exec(rest);
    if (first !== null) {
      host = first[1]!;
      rest = rest.slice(first[0].length);
      tag = TAG.exec(rest);
    }
  }
  return {
    ...NOTHING,
    time: time.toISOString(),
    host,
    app: tag?.[1] ?? null,
    pid: tag?.[2] ?? null,
    message: tag === null ? rest : rest.slice(tag[0].length),
  };
}

/** The year that brings it nearest to now: a message of 31 December may come on 1 January. */
function timeOf(header: RegExpExecArray, now: Date): Date | undefined {
  const [, monthName, day, hour, minute, second] = header;
  const month = MONTHS.indexOf(monthName!);
  if (month < 0) return undefined;
  const inYear = (year: number): Date =>
    new Date(year, month, Number(day), Number(hour), Number(minute), Number(second));
  const year = now.getFullYear();
  let time = inYear(year);
  if (time.getTime() - now.getTime() > HALF_A_YEAR_MS) time = inYear(year - 1);
  else if (now.getTime() - time.getTime() > HALF_A_YEAR_MS) time = inYear(year + 1);
  // 31 February is another day, and so none.
  return time.getMonth() === month && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 61
    ? time
    : undefined;
}
