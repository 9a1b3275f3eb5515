import { startServer, whyMissingProgram } from '../programs.ts';
import type { System } from '../system.ts';

/** No queue: every get finds what was put last. It shows what the load can do, and what a network of 50 costs. */
export const memcached: System = {
  name: 'memcached',
  remark: 'no queue and no disk, one thread: what the load can drive',
  protocol: 'memcache',
  whyMissing: () => whyMissingProgram('/usr/bin/memcached', 'memcached'),
  start: () =>
    startServer('memcached', (port) => ['-u', 'nobody', '-t', '1', '-l', '127.0.0.1', '-p', String(port)]),
};

export const beanstalkd: System = beanstalk('beanstalkd', [], 'its log synced every 50 ms, its default');
export const beanstalkdAlways: System = beanstalk('beanstalkd-f0', ['-f', '0'], 'its log synced each time');

function beanstalk(name: string, flags: readonly string[], remark: string): System {
  return {
    name,
    remark: `${remark}; put, and reserve with delete`,
    protocol: 'beanstalk',
    whyMissing: () => whyMissingProgram('/usr/bin/beanstalkd', 'beanstalkd'),
    start: (folder) =>
      startServer('beanstalkd', (port) => ['-l', '127.0.0.1', '-p', String(port), '-b', folder, ...flags]),
  };
}

export const redis: System = redisServer('redis-everysec', 'everysec');
export const redisAlways: System = redisServer('redis-always', 'always');

function redisServer(name: string, fsync: string): System {
  return {
    name,
    remark: `--appendonly yes --appendfsync ${fsync}; LPUSH, RPOP`,
    protocol: 'redis',
    whyMissing: () => whyMissingProgram('/usr/bin/redis-server', 'redis-server'),
    start: (folder) =>
      startServer('redis-server', (port) => [
        ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
        ...['--appendonly', 'yes', '--appendfsync', fsync],
      ]),
  };
}
