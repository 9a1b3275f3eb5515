import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  addSettingsOptions,
  boolean,
  defineSettings,
  integer,
  list,
  resolveSettings,
  runCli,
  ServiceError,
  setExitCode,
  setting,
  useColor,
} from '../src/index.ts';

const definition = defineSettings({
  prefix: 'ROOKERY_X',
  settings: {
    port: setting({ schema: integer(), default: 7, description: 'A port', reason: 'r', short: 'p' }),
    fsync: setting({ schema: boolean(), default: true, description: 'Whether to fsync', reason: 'r' }),
    peers: setting({ schema: list(integer()), default: [], description: 'Some', reason: 'r' }),
    token: setting({
      schema: integer().optional(),
      default: undefined,
      description: 'T',
      reason: 'r',
      secret: true,
    }),
  },
});

async function run(
  argv: readonly string[],
  act: (command: Command) => void | Promise<void> = () => undefined,
) {
  const out: string[] = [];
  const err: string[] = [];
  const program = new Command('rookery-x').version('1.2.3');
  const serve = program.command('serve').action((_, command: Command) => act(command));
  addSettingsOptions(serve, definition);
  const code = await runCli(program, argv, {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
  });
  return { code, out: out.join(''), err: err.join('') };
}

describe('a command', () => {
  it.each([[['--peers', '1,2,3']], [['--peers', '1', '--peers', '2,3']]])(
    'takes a list in one or one by one: %j',
    async (flags) => {
      let peers: unknown;
      await run(['serve', ...flags], (command) => {
        peers = resolveSettings(definition, { flags: command.optsWithGlobals() }).values.peers;
      });
      expect(peers).toEqual([1, 2, 3]);
    },
  );

  it('exits 0 when fine, and for help and version', async () => {
    expect(await run(['serve'])).toEqual({ code: 0, out: '', err: '' });
    expect(await run(['--version'])).toEqual({ code: 0, out: '1.2.3\n', err: '' });
    const help = await run(['serve', '--help']);
    expect(help.code).toBe(0);
    expect(help.out).toMatch(/-p, --port <port>\s+A port \(default: 7;\s+ROOKERY_X_PORT\)/);
    expect(help.out).not.toContain('token');
  });

  it('exits 2 with one line when it is called wrongly', async () => {
    expect(await run(['serve', '--prot', '1'])).toEqual({
      code: 2,
      out: '',
      err: "rookery-x: unknown option '--prot' (Did you mean --port?) (see rookery-x serve --help)\n",
    });
    expect((await run(['sreve'])).code).toBe(2);
    expect((await run([])).code).toBe(2);
  });

  it('exits 2 for a bad setting and 1 for what fails, with one line', async () => {
    const bad = await run(['serve', '--port', 'x'], (command) => {
      resolveSettings(definition, { flags: command.optsWithGlobals() });
    });
    expect(bad).toMatchObject({
      code: 2,
      err: 'rookery-x: --port: "x" is not allowed, expected a whole number\n',
    });
    const failed = await run(['serve'], () => {
      throw new Error('two\n  lines');
    });
    expect(failed).toMatchObject({ code: 1, err: 'rookery-x: two lines\n' });
    const listen = await run(['serve'], () => Promise.reject(new ServiceError('LISTEN_FAILED', 'taken')));
    expect(listen.code).toBe(1);
  });

  it('exits with the code its action sets', async () => {
    expect((await run(['serve'], (command) => setExitCode(command, 143))).code).toBe(143);
  });

  it('takes settings as flags, and a flag that was not given is no setting', async () => {
    const resolve = async (argv: readonly string[]) => {
      let resolved: ReturnType<typeof resolveSettings> | undefined;
      await run(['serve', ...argv], (command) => {
        resolved = resolveSettings(definition, { flags: command.optsWithGlobals() });
      });
      return resolved!;
    };
    expect((await resolve([])).sources).toMatchObject({
      port: { kind: 'default' },
      fsync: { kind: 'default' },
    });
    expect((await resolve(['-p', '9', '--no-fsync'])).values).toMatchObject({ port: 9, fsync: false });
    expect((await resolve(['--fsync'])).sources).toMatchObject({ fsync: { kind: 'flag', name: '--fsync' } });
  });
});

describe('colour', () => {
  it('is for terminals, and NO_COLOR turns it off', () => {
    expect(useColor({ isTTY: true }, {})).toBe(true);
    expect(useColor({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(useColor({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(useColor({}, {})).toBe(false);
    expect(useColor({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});
