import { writeFile } from 'node:fs/promises';
import { runGated, startAll, whyFails } from '../programs.ts';
import { type System, treeName, treeOf } from '../system.ts';

export const rsync: System = {
  name: 'rsync',
  remark:
    'rsync 3.5 (Debian), one daemon on the origin, all pull at once: --archive --whole-file, no compression (the bytes are random)',
  once: true,
  oneServer: true,
  whyMissing: () => whyFails('rsync', 'rsync', ['--version']),
  async start({ tree, origin, machines }) {
    const configuration = `${origin.folder}/rsyncd.conf`;
    await writeFile(
      configuration,
      `use chroot = no\nmax connections = 0\nuid = 0\ngid = 0\n[${treeName}]\npath = ${tree}\n`,
    );
    const { address } = origin.host;
    const daemon = ['--daemon', '--no-detach', `--address=${address}`, `--port=${origin.port}`];
    const from = `rsync://${address}:${origin.port}/${treeName}/`;
    return startAll(
      [() => origin.host.run('rsync', [...daemon, `--config=${configuration}`, '--log-file=/dev/null'])],
      machines.map(
        (machine) => () =>
          // The shell stays, stopped, for its child's processor time to be asked for.
          runGated(machine, 'sh', [
            '-c',
            'rsync --archive --whole-file "$1" "$2" && echo done && kill -STOP $$',
            'rsync',
            from,
            treeOf(machine),
          ]),
      ),
      'done\n',
    );
  },
};
