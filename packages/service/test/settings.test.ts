import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  address,
  boolean,
  byteSize,
  choice,
  commonSettings,
  decimal,
  defineSettings,
  describeSettings,
  dumpSettings,
  durationMs,
  exampleFile,
  formatAddress,
  integer,
  list,
  loadSettings,
  port,
  resolveSettings,
  ServiceError,
  setting,
  settingsForLog,
  settingsTable,
  tableOf,
  text,
  type ValuesOf,
} from '../src/index.ts';

const queueTable = tableOf({ maxBytes: byteSize(), maxAgeMs: durationMs(), fanout: list(text()) });

const definition = defineSettings({
  prefix: 'ROOKERY_QUEUE',
  settings: {
    ...commonSettings({ adminPort: 22134 }),
    port: setting({
      schema: port(),
      default: 22133,
      description: 'Port of the memcache listener',
      reason: 'Kestrel had it.',
      short: 'p',
    }),
    timeoutMs: setting({
      schema: durationMs({ min: 10, max: 60_000 }),
      default: 2000,
      description: 'Longest wait',
      reason: 'Long enough.',
      unit: 'ms',
      reload: 'live',
    }),
    itemBytesMax: setting({
      schema: byteSize({ min: 1, max: 1024 ** 3 }),
      default: 1024 ** 2,
      description: 'Largest item',
      reason: 'As memcached.',
      unit: 'bytes',
    }),
    durable: setting({
      schema: boolean(),
      default: true,
      description: 'Whether to fsync',
      reason: 'Kept is kept.',
    }),
    journalPath: setting({
      schema: text().optional(),
      default: undefined,
      key: 'journal.path',
      description: 'Where the journal is',
      reason: 'No place is right for all.',
    }),
  },
  tables: {
    queueDefaults: settingsTable({ schema: queueTable, default: {}, description: 'What queues share' }),
    queues: settingsTable({
      schema: z.record(z.string().regex(/^[a-z]+$/, 'queue names are lower case letters'), queueTable),
      default: {},
      description: 'Queues by name',
      reload: 'live',
    }),
  },
  check: (values) =>
    values.timeoutMs > values.stopTimeoutMs ? ['timeout_ms must not be longer than stop_timeout_ms'] : [],
});

const directory = mkdtempSync(join(tmpdir(), 'rookery-settings-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(content: string) {
  return { path: 'rookery.toml', text: content };
}

function problems(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return error.problems;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('where a setting comes from', () => {
  it('takes the flag before the environment before the file before the default', () => {
    const all = {
      flags: { port: '1' },
      environment: { ROOKERY_QUEUE_PORT: '2' },
      file: file('port = 3'),
    };
    expect(resolveSettings(definition, all).values.port).toBe(1);
    expect(resolveSettings(definition, { ...all, flags: {} }).values.port).toBe(2);
    expect(resolveSettings(definition, { file: all.file }).values.port).toBe(3);
    expect(resolveSettings(definition, {}).values.port).toBe(22133);
  });

  it('tells the source of each value, with the line of the file', () => {
    const { sources } = resolveSettings(definition, {
      flags: { timeoutMs: '3s' },
      environment: { ROOKERY_QUEUE_LOG_LEVEL: 'debug' },
      file: file('# mine\nport = 3\n[journal]\npath = "/data"\n'),
    });
    expect(sources.timeoutMs).toEqual({ kind: 'flag', name: '--timeout-ms' });
    expect(sources.logLevel).toEqual({ kind: 'environment', name: 'ROOKERY_QUEUE_LOG_LEVEL' });
    expect(sources.port).toEqual({ kind: 'file', name: 'rookery.toml:2' });
    expect(sources.journalPath).toEqual({ kind: 'file', name: 'rookery.toml:4' });
    expect(sources.durable).toEqual({ kind: 'default', name: 'default' });
  });

  it('reads durations and sizes in the units people write', () => {
    const { values } = resolveSettings(definition, {
      flags: { timeoutMs: '1.5s' },
      file: file('item_bytes_max = "64k"\nstop_timeout_ms = 9000'),
    });
    expect(values).toMatchObject({ timeoutMs: 1500, itemBytesMax: 65_536, stopTimeoutMs: 9000 });
  });

  it('counts an empty variable as not set', () => {
    expect(resolveSettings(definition, { environment: { ROOKERY_QUEUE_PORT: '' } }).values.port).toBe(22133);
  });

  it('gives tables of the file in camelCase, and only what was written', () => {
    const { values } = resolveSettings(definition, {
      file: file(
        '[queue_defaults]\nmax_age_ms = "1h"\n[queues.mail]\nmax_bytes = "1GiB"\nfanout = ["a", "b"]\n',
      ),
    });
    const typed: ValuesOf<typeof definition> = values;
    expect(typed.queueDefaults).toEqual({ maxAgeMs: 3_600_000 });
    expect(typed.queues).toEqual({ mail: { maxBytes: 1024 ** 3, fanout: ['a', 'b'] } });
  });
});

describe('a wrong setting', () => {
  it('is named with its place and what is allowed, whichever place that is', () => {
    const refuse = (input: Parameters<typeof resolveSettings>[1]) =>
      problems(() => resolveSettings(definition, input))[0];
    const allowed = 'is not allowed, expected a whole number from 0 to 65535';
    expect(refuse({ flags: { port: 'x' } })).toBe(`--port: "x" ${allowed}`);
    expect(refuse({ environment: { ROOKERY_QUEUE_PORT: '70000' } })).toBe(
      `ROOKERY_QUEUE_PORT: "70000" ${allowed}`,
    );
    expect(refuse({ file: file('\nport = -1') })).toBe(`rookery.toml:2: port: -1 ${allowed}`);
    expect(refuse({ flags: { timeoutMs: '2h' } })).toBe(
      '--timeout-ms: "2h" is not allowed, expected a duration such as 500ms, 2s or 1h from 10ms to 1m',
    );
    expect(refuse({ flags: { logLevel: 'loud' } })).toMatch(/expected one of trace, debug, info/);
  });

  it('is told together with all the others', () => {
    const error = problems(() =>
      resolveSettings(definition, {
        flags: { port: 'x', itemBytesMax: '1 parsec' },
        file: file('durable = "perhaps"'),
      }),
    );
    expect(error).toHaveLength(3);
  });

  it('in the file names the nearest setting there is', () => {
    const found = problems(() =>
      resolveSettings(definition, {
        file: file('time_out_ms = 1\n[journal]\npaht = "x"\n[qeues.mail]\nmax_bytes = 1\n'),
      }),
    );
    expect(found).toEqual([
      'rookery.toml:1: there is no setting time_out_ms, did you mean timeout_ms?',
      'rookery.toml:3: there is no setting journal.paht, did you mean journal.path?',
      'rookery.toml:4: there is no setting qeues, did you mean queues?',
    ]);
  });

  it('inside a table is found too, with its line', () => {
    const found = problems(() =>
      resolveSettings(definition, {
        file: file('[queues.mail]\nmax_byte = 1\nmax_age_ms = "soon"\n[queues.Bad]\n'),
      }),
    );
    expect(found.toSorted()).toEqual([
      'rookery.toml:2: there is no setting queues.mail.max_byte, did you mean max_bytes?',
      'rookery.toml:3: queues.mail.max_age_ms: "soon" is not allowed, expected a duration such as 500ms, 2s or 1h',
      'rookery.toml:4: queues.Bad is not allowed, queue names are lower case letters',
    ]);
  });

  it('between two settings is found last', () => {
    expect(problems(() => resolveSettings(definition, { flags: { timeoutMs: '60s' } }))).toEqual([
      'timeout_ms must not be longer than stop_timeout_ms',
    ]);
  });

  it('makes broken TOML name its line', () => {
    expect(() => resolveSettings(definition, { file: file('port = 1\nport = = 2\n') })).toThrow(
      /^rookery.toml:2:\d+ is not valid TOML: /,
    );
  });

  it('never shows a secret', () => {
    const [problem] = problems(() =>
      resolveSettings(definition, { environment: { ROOKERY_QUEUE_ADMIN_TOKEN: 'x'.repeat(2000) } }),
    );
    expect(problem).toBe(
      'ROOKERY_QUEUE_ADMIN_TOKEN: the value given is not allowed, expected text of 1 to 1024 characters',
    );
  });

  it('in the environment is a warning when it is no setting, because others write there too', () => {
    const { warnings } = resolveSettings(definition, { environment: { ROOKERY_QUEUE_PROT: '1', HOME: '/' } });
    expect(warnings).toEqual(['ROOKERY_QUEUE_PROT sets nothing, did you mean ROOKERY_QUEUE_PORT?']);
  });

  it('put there by Kubernetes is explained', () => {
    const [problem] = problems(() =>
      resolveSettings(definition, { environment: { ROOKERY_QUEUE_PORT: 'tcp://10.0.0.1:22133' } }),
    );
    expect(problem).toContain('enableServiceLinks: false');
  });

  it('in the code is refused when the app starts', () => {
    const one = setting({ schema: integer(), default: 0, description: 'x', reason: 'y' });
    expect(() => defineSettings({ prefix: 'P', settings: { a: one, b: { ...one, flag: 'a' } } })).toThrow(
      '--a would set both a and b',
    );
  });
});

describe('a dump of the settings', () => {
  const resolved = resolveSettings(definition, {
    flags: { timeoutMs: '9s', stopTimeoutMs: '2m' },
    environment: { ROOKERY_QUEUE_ADMIN_TOKEN: 'hunter2' },
  });

  it('hides secrets and tells sources', () => {
    const dump = dumpSettings(resolved);
    expect(JSON.stringify(dump)).not.toContain('hunter2');
    expect(dump.find((one) => one.name === 'timeoutMs')).toEqual({
      name: 'timeoutMs',
      key: 'timeout_ms',
      value: 9000,
      shown: '9s',
      source: { kind: 'flag', name: '--timeout-ms' },
    });
  });

  it('for the log has only what somebody gave', () => {
    expect(settingsForLog(resolved)).toEqual({
      admin_token: '*** (ROOKERY_QUEUE_ADMIN_TOKEN)',
      stop_timeout_ms: '2m (--stop-timeout-ms)',
      timeout_ms: '9s (--timeout-ms)',
    });
  });

  it('as an example file is read back without an error', () => {
    const example = exampleFile(definition);
    const uncommented = example.replace(/^# (\w[\w.]* = .*)$/gm, '$1');
    const { values } = resolveSettings(definition, { file: file(uncommented) });
    expect(values).toEqual(resolveSettings(definition, {}).values);
  });

  it('for the docs has every name of a setting', () => {
    expect(describeSettings(definition).find((one) => one.name === 'itemBytesMax')).toEqual({
      name: 'itemBytesMax',
      key: 'item_bytes_max',
      flag: '--item-bytes-max',
      environment: 'ROOKERY_QUEUE_ITEM_BYTES_MAX',
      default: '1MiB',
      unit: 'bytes',
      description: 'Largest item',
      reason: 'As memcached.',
      needsRestart: true,
    });
  });
});

describe('a settings file on disk', () => {
  const path = join(directory, 'queue.toml');

  it('is read again, and what changed is told with what needs a restart', () => {
    writeFileSync(path, 'port = 1\ntimeout_ms = "1s"\nadmin_token = "old"\n');
    const loaded = loadSettings(definition, { flags: { config: path } });
    writeFileSync(path, 'port = 2\ntimeout_ms = "2s"\nadmin_token = "new"\n[queues.mail]\nmax_bytes = 5\n');
    const { settings, changes } = loaded.reload();
    expect(settings.values.timeoutMs).toBe(2000);
    expect(changes).toEqual([
      { name: 'adminToken', key: 'admin_token', from: '***', to: '***', needsRestart: true },
      { name: 'port', key: 'port', from: 1, to: 2, needsRestart: true },
      { name: 'timeoutMs', key: 'timeout_ms', from: 1000, to: 2000, needsRestart: false },
      { name: 'queues', key: 'queues', from: {}, to: { mail: { maxBytes: 5 } }, needsRestart: false },
    ]);
    expect(settings.reload().changes).toEqual([]);
  });

  it('leaves the running settings as they are when it has become wrong', () => {
    writeFileSync(path, 'port = 1\n');
    const loaded = loadSettings(definition, { environment: { ROOKERY_QUEUE_CONFIG: path } });
    writeFileSync(path, 'port = "x"\n');
    expect(() => loaded.reload()).toThrow(ServiceError);
    expect(loaded.values.port).toBe(1);
  });

  it('that is not there is named', () => {
    const missing = join(directory, 'missing.toml');
    expect(() => loadSettings(definition, { flags: { config: missing } })).toThrow(
      `${missing} can't be read: there is no such file`,
    );
  });

  it('that is far too large is refused', () => {
    const large = join(directory, 'large.toml');
    writeFileSync(large, '#'.repeat(2 * 1024 * 1024));
    expect(() => loadSettings(definition, { flags: { config: large } })).toThrow(/is it the right one/);
  });

  it('can hold a secret by itself', () => {
    const secret = join(directory, 'token');
    writeFileSync(secret, 'hunter2\n');
    const { values, sources } = loadSettings(definition, {
      environment: { ROOKERY_QUEUE_ADMIN_TOKEN_FILE: secret },
    });
    expect(values.adminToken).toBe('hunter2');
    expect(sources.adminToken.name).toBe('ROOKERY_QUEUE_ADMIN_TOKEN_FILE');
  });
});

describe('schemas', () => {
  it('take text and TOML values alike', () => {
    expect(integer().parse('12')).toBe(12);
    expect(integer({ min: -5 }).parse(-3)).toBe(-3);
    expect(integer().safeParse(1.5).success).toBe(false);
    expect(integer().safeParse('').success).toBe(false);
    expect(decimal({ min: 0, max: 1 }).parse('0.25')).toBe(0.25);
    expect(boolean().parse('off')).toBe(false);
    expect(boolean().safeParse('perhaps').success).toBe(false);
    expect(list(integer()).parse('1, 2,3')).toEqual([1, 2, 3]);
    expect(choice(['a', 'b']).parse('b')).toBe('b');
  });

  it('say their bounds as people write them', () => {
    const message = byteSize({ max: 16 * 1024 ** 2 }).safeParse('1GiB').error?.issues[0]?.message;
    expect(message).toBe('expected a size such as 64KiB or 16MiB up to 16MiB');
    expect(integer({ min: 1 }).safeParse(0).error?.issues[0]?.message).toBe('expected a whole number from 1');
  });
});

it.each([
  ['127.0.0.1:4803', { host: '127.0.0.1', port: 4803 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
  ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
])('an address is written %s', (written, expected) => {
  expect(address().parse(written)).toEqual(expected);
  expect(formatAddress(expected)).toBe(written);
});

it.each(['4803', '::1:4803', 'host:', 'host:65536', ':1', '[::1]', 'a b:1'])(
  '%s is no address',
  (written) => {
    expect(address().safeParse(written).success).toBe(false);
  },
);
