/// <reference path="../../../apps/deploy/src/swarm/client/webtorrent.d.ts" />
/** The command line of `rookery-deploy`, loaded before it is let go by SIGUSR2: `rookery.ts fetch …`. */
import { once } from 'node:events';
import { run } from '../../../apps/deploy/src/cli.ts';

const alive = setInterval(() => undefined, 60_000);
console.log('ready');
await once(process, 'SIGUSR2');
clearInterval(alive);
process.exit(await run(process.argv.slice(2)));
