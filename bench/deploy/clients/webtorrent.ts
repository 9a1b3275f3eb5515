/** `webtorrent.ts seed|fetch TORRENT FOLDER PORT`: webtorrent as it comes, but for uTP and the finding of strangers. */
import { once } from 'node:events';

interface Client {
  add(
    torrent: string,
    options: { path: string; skipVerify: boolean },
    onTorrent: (torrent: { readonly done: boolean; on(event: 'done', listener: () => void): void }) => void,
  ): void;
  on(event: 'error', listener: (error: Error) => void): void;
}

// Its own types are behind it. The name is a variable so that nothing has to be there for the types to be checked.
const name: string = 'webtorrent';
const { default: WebTorrent } = (await import(name)) as {
  default: new (options: Record<string, unknown>) => Client;
};

const [role, torrent, folder, port] = process.argv.slice(2) as [string, string, string, string];
const client = new WebTorrent({
  ...{ torrentPort: Number(port), maxConns: 100 },
  ...{ utp: false, dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false },
});
client.on('error', (error) => {
  throw error;
});
if (role === 'fetch') {
  const alive = setInterval(() => undefined, 60_000);
  console.log('ready');
  await once(process, 'SIGUSR2');
  clearInterval(alive);
}
client.add(torrent, { path: folder, skipVerify: role === 'seed' }, (added) => {
  if (role === 'seed') console.log('ready');
  else if (added.done) console.log('done');
  else added.on('done', () => console.log('done'));
});
