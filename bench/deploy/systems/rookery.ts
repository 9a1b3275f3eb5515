import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runNode, startAll } from '../programs.ts';
import { type Machine, type System, treeOf } from '../system.ts';

const app = fileURLToPath(new URL('../../../apps/deploy', import.meta.url));
const program = [
  '-e',
  `import(${JSON.stringify(`${app}/dist/cli.js`)}).then((m) => m.main(process.argv))`,
  'rookery-deploy',
];

/** Longer than any run: all go on giving until the last has everything. */
const SEED_SECONDS = '3600';

export const rookery: System = {
  name: 'rookery',
  remark:
    'rookery-deploy as it is published: pack, tracker and seed on the origin, fetch on each machine, as it comes',
  whyMissing() {
    const build = spawnSync('npm', ['run', 'build'], { cwd: app, encoding: 'utf8' });
    return build.status === 0 ? undefined : `rookery-deploy can't be built: ${build.stderr}`;
  },
  async start({ tree, origin, machines }) {
    const [release, key] = [`${origin.folder}/tree.release`, `${origin.folder}/key`];
    deploy('keygen', '--out', key);
    deploy('pack', tree, '--app', 'bench', '--version', '1', '--output', release, '--key', key);
    const listen = `${origin.host.address}:${origin.port - 1}`;
    const tracker = ['--tracker', `http://${listen}/announce`];
    const trust = ['--trust', `${key}.pub`];
    const serve = (...args: readonly string[]) =>
      origin.host.run(process.execPath, [...program, ...args, '--json'], {
        readyPattern: /"event":"(listening|seeding)"/,
      });
    const fetch = (machine: Machine) =>
      runNode(machine, 'rookery', [
        ...['fetch', release, '--to', treeOf(machine), ...trust, ...tracker],
        ...['--json', '--seed-for', SEED_SECONDS],
      ]);
    return startAll(
      [() => serve('tracker', '--listen', listen), () => serve('seed', release, tree, ...tracker)],
      machines.map((machine) => () => fetch(machine)),
      '"event":"done"',
    );
  },
};

function deploy(...args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [...program, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`rookery-deploy ${args[0]}: ${stderr}`);
}
