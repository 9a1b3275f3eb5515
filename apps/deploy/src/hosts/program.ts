import { fileURLToPath } from 'node:url';

/** The host's side as a file that Node runs: the bundle's, or the source when that is what runs here. */
export const HOST_PROGRAM: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../host/main.ts' : './host.js', import.meta.url),
);
/** What Node needs to run workspace sources unbuilt. */
export const HOST_PROGRAM_FLAGS: readonly string[] = HOST_PROGRAM.endsWith('.ts')
  ? ['--conditions=@rookery/source']
  : [];
