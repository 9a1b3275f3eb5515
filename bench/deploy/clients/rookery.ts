/** The command line of `rookery-deploy` as it is published, loaded before it is let go by SIGUSR2: `rookery.ts fetch …`. */
import { once } from 'node:events';

// The name is a variable so that nothing has to be built for the types to be checked.
const bundle: string = '../../../apps/deploy/dist';
const { run } = (await import(`${bundle}/cli.js`)) as { run(args: readonly string[]): Promise<number> };
// A command loads its part when it is called; with the library all parts are there.
await import(`${bundle}/index.js`);

const alive = setInterval(() => undefined, 60_000);
console.log('ready');
await once(process, 'SIGUSR2');
clearInterval(alive);
process.exit(await run(process.argv.slice(2)));
