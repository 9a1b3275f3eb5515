import { main } from '../../src/cli.ts';

await main(process.argv);
