import cluster, { type Worker } from 'node:cluster';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Runs ROOT/current/server.js, and holds its socket. SIGHUP: another one is started from where `current` leads now, and
// when it answers the one before takes no connection more, and ends with its last answer.

// All take connections from the kernel's own queue: none is lost on its way to one that ends.
cluster.schedulingPolicy = cluster.SCHED_NONE;
const root = process.argv[2]!;
cluster.setupPrimary({ exec: join(root, 'current/server.js') });
let worker: Worker = cluster.fork();
process.on('SIGHUP', () => {
  const before = worker;
  worker = cluster.fork();
  worker.once('listening', () => before.send('retire'));
});
writeFileSync(join(root, 'supervisor.pid'), String(process.pid));
