/**
 * A BitTorrent tracker that tells everyone of all others at once: `tracker.ts ADDRESS PORT`. Prints `seeded` when one
 * that has everything is there.
 */
import { createServer } from 'node:http';
import { bencode } from '../../../apps/deploy/src/release/bencode.ts';

/** Seconds between two announcements of a peer: what BitTorrent's deployers use, to be found soon. */
const INTERVAL = 15;

const [address, port] = [process.argv[2]!, Number(process.argv[3])];
const peers = new Map<string, Buffer>();

const server = createServer((request, response) => {
  const query = new URL(request.url ?? '/', 'http://tracker').searchParams;
  const from = request.socket.remoteAddress!.replace('::ffff:', '');
  const peerPort = Number(query.get('port'));
  const name = `${from}:${peerPort}`;
  const compact = Buffer.from([...from.split('.').map(Number), peerPort >> 8, peerPort & 255]);
  if (query.get('event') === 'stopped') peers.delete(name);
  else peers.set(name, compact);
  const others = [...peers].flatMap(([other, bytes]) => (other === name ? [] : bytes));
  const answer = { interval: INTERVAL, 'min interval': INTERVAL, peers: Buffer.concat(others) };
  response.setHeader('connection', 'close').end(bencode(answer));
  if (query.get('left') === '0') console.log('seeded');
});
server.listen(port, address, () => console.log('ready'));
