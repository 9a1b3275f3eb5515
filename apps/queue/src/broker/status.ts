/**
 * What the server as a whole takes. `readonly` and `draining` take no puts (draining also tells the load balancer, by
 * `/readyz`); `quiescent` takes neither puts nor reads; `writeavoid` takes both, and asks clients that care to write
 * elsewhere.
 */
export type ServerStatus = 'up' | 'readonly' | 'quiescent' | 'writeavoid' | 'draining';

export const serverStatuses: readonly ServerStatus[] = [
  'up',
  'readonly',
  'quiescent',
  'writeavoid',
  'draining',
];

export function writesAllowed(status: ServerStatus): boolean {
  return status === 'up' || status === 'writeavoid';
}

export function readsAllowed(status: ServerStatus): boolean {
  return status !== 'quiescent';
}
