import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hosts } from '@rookery/testkit';
import { nodeClient, stopAll, whyMissingFiles } from '../programs.ts';
import type { RunningSystem, System } from '../system.ts';

// The client is Node's: in the same run it was faster than Debian's libnats 3.4.1 in C at every size.
export const natsCore: System = nats(
  'nats-core',
  false,
  'core NATS, a cluster of three; client in Node; keeps each sender in order, promises no order among them',
);
export const natsJetStream: System = nats(
  'nats-jetstream',
  true,
  'JetStream, file storage, three replicas; client in Node; one order, delivered when a majority has stored it',
);

function nats(name: string, jetStream: boolean, remark: string): System {
  return {
    name,
    remark,
    services: ['agreed'],
    totalOrder: jetStream,
    whyMissing: () => whyMissingFiles({ '/usr/sbin/nats-server': 'nats-server' }),
    start: (hosts, folder) => start(jetStream, hosts, folder),
  };
}

async function start(jetStream: boolean, hosts: Hosts, folder: string): Promise<RunningSystem> {
  const servers = await Promise.all(
    hosts.all.map(async (host, index) => {
      const configuration = join(folder, `h${index + 1}.conf`);
      await writeFile(configuration, configure(hosts, index, jetStream ? join(folder, `h${index + 1}`) : ''));
      return host.run('nats-server', ['--config', configuration], { readyPattern: /Server is ready/ });
    }),
  );
  return {
    servers,
    client: (host, index, _service, measurement) => ({
      program: process.execPath,
      before: nodeClient('nats'),
      after: [`nats://${host.address}:4222`, measurement, ...(jetStream ? streamOf(measurement, index) : [])],
    }),
    [Symbol.asyncDispose]: () => stopAll(servers),
  };
}

function configure(hosts: Hosts, index: number, storeFolder: string): string {
  const others = hosts.all.filter((_, other) => other !== index);
  return `server_name: h${index + 1}
listen: "${hosts.host(index).address}:4222"
cluster {
  name: bench
  listen: "${hosts.host(index).address}:6222"
  routes: [${others.map(({ address }) => `"nats-route://${address}:6222"`).join(', ')}]
}
${storeFolder && `jetstream { store_dir: "${storeFolder}" }\n`}`;
}

/**
 * The subject to be delivered to, and the requests that make a measurement's stream and a member's consumer. Senders
 * wait for no acknowledgement, since a message that is delivered has been stored; consumers don't acknowledge.
 */
function streamOf(measurement: string, index: number): string[] {
  const deliverTo = `deliver.${measurement}.${index}`;
  const stream = {
    name: measurement,
    subjects: [measurement],
    storage: 'file',
    num_replicas: 3,
    retention: 'limits',
  };
  const consumer = {
    stream_name: measurement,
    config: {
      deliver_subject: deliverTo,
      deliver_policy: 'new',
      ack_policy: 'none',
      replay_policy: 'instant',
      mem_storage: true,
      num_replicas: 1,
    },
  };
  return [
    deliverTo,
    ...[`$JS.API.STREAM.CREATE.${measurement}`, JSON.stringify(stream)],
    ...[`$JS.API.CONSUMER.CREATE.${measurement}`, JSON.stringify(consumer)],
  ];
}
