/**
 * A member of the group over NATS, see contract.ts. Its own arguments: SERVER SUBJECT, or with JetStream
 * SERVER SUBJECT DELIVER_TO CREATE_PATH CREATE_PAYLOAD CONSUME_PATH CONSUME_PAYLOAD.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { parseLoadArguments } from './contract.ts';
import { runLoad } from './load.ts';

const [settings, [server, subject, deliverTo, ...requests]] = parseLoadArguments(process.argv.slice(2));

await runLoad(settings, async (deliver) => {
  const connection = await connect({ servers: server! });
  connection.subscribe(deliverTo ?? subject!, {
    callback: (error, message) => {
      if (error) throw error;
      deliver(message.data, 0, message.data.length);
    },
  });
  for (let i = 0; i < requests.length; i += 2) await ask(connection, requests[i]!, requests[i + 1]!);
  return {
    send: (body) => connection.publish(subject!, body),
    leave: () => connection.close(),
  };
});

/** The cluster may have no leader yet, or another member may be making the same stream. */
async function ask(connection: NatsConnection, path: string, payload: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await connection.request(path, payload, { timeout: 5000 }).catch(() => undefined);
    if (answer !== undefined && answer.json<{ error?: unknown }>().error === undefined) return;
    await delay(100);
  }
  throw new Error(`${path} is refused`);
}
