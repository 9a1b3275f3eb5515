import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startServer, whyMissingProgram } from '../programs.ts';
import type { System } from '../system.ts';

export const jetStream: System = {
  name: 'nats-jetstream',
  remark:
    'a work queue stream on file storage, synced every two minutes (2.9 has no setting for it); publish with its acknowledgement, fetch with an acknowledgement for each message',
  protocol: 'nats',
  whyMissing: () => whyMissingProgram('/usr/sbin/nats-server', 'nats-server'),
  async start(folder) {
    const configuration = join(folder, 'nats.conf');
    await writeFile(configuration, `jetstream { store_dir: "${folder}" }\n`);
    const running = await startServer('/usr/sbin/nats-server', (port) => [
      ...['--addr', '127.0.0.1', '--port', String(port), '--config', configuration],
    ]);
    return { ...running, createQueue: (name) => createStream(running.port, name) };
  },
};

/** With a consumer `c` from which any number of clients may fetch. */
async function createStream(port: number, name: string): Promise<void> {
  const stream = { name, subjects: [name], storage: 'file', retention: 'workqueue', num_replicas: 1 };
  const consumer = {
    stream_name: name,
    config: { durable_name: 'c', ack_policy: 'explicit', deliver_policy: 'all', max_ack_pending: -1 },
  };
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let answers = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answers += text;
  });
  socket.write('CONNECT {"verbose":false}\r\nSUB _S 1\r\n');
  try {
    for (const [subject, request] of [
      [`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(stream)],
      [`$JS.API.CONSUMER.DURABLE.CREATE.${name}.c`, JSON.stringify(consumer)],
    ] as const) {
      answers = '';
      socket.write(`PUB ${subject} _S ${request.length}\r\n${request}\r\n`);
      while (!/MSG _S 1 \d+\r\n.+\r\n/.test(answers)) await once(socket, 'data');
      if (answers.includes('"error"')) throw new Error(`${subject}: ${answers}`);
    }
  } finally {
    socket.destroy();
  }
}
