/**
 * Records sessions of real clients: stands between them and a daemon, and prints what both say until Ctrl-C.
 *
 *     node --conditions=@rookery/source apps/bus/test/spread-recordings/record.ts PORT DAEMON_PORT
 *
 * The daemon is alone in its ring, called h1, and fresh: names that it gives are counted.
 */
import { connect, createServer, type Socket } from 'node:net';
import { type ClientDecoder, createClientDecoder } from '@rookery/protocol/spread';
import { formatLine, type Line, meaningOf } from './recording.ts';

const [port, daemonPort] = process.argv.slice(2).map(Number);
const lines: Line[] = [];
let connections = 0;

createServer({ noDelay: true }, (client) => record(client, ++connections)).listen(port, '127.0.0.1');
process.on('SIGINT', () => {
  process.stdout.write(`${lines.map(formatLine).join('\n')}\n`);
  process.exit();
});

function record(client: Socket, connection: number): void {
  const daemon = connect({ host: '127.0.0.1', port: daemonPort!, noDelay: true });
  let decoder: ClientDecoder | undefined;
  client.on('data', (bytes: Buffer) => {
    decoder ??= createClientDecoder({}, { major: bytes[0]!, minor: bytes[1]!, patch: bytes[2]! });
    const last = lines.at(-1);
    if (last?.kind === 'sent' && last.connection === connection) {
      lines[lines.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, bytes]) };
    } else lines.push({ kind: 'sent', connection, bytes });
    daemon.write(bytes);
  });
  daemon.on('data', (bytes: Buffer) => {
    decoder!.push(bytes);
    for (let input = decoder!.next(); input !== undefined; input = decoder!.next()) {
      lines.push({ kind: 'told', connection, meaning: meaningOf(input) });
    }
    client.write(bytes);
  });
  client.on('close', () => {
    lines.push({ kind: 'closed', connection });
    daemon.end();
  });
  daemon.on('close', () => client.end());
  for (const socket of [client, daemon]) socket.on('error', () => undefined);
}
