/**
 * The least that a host must do, in Node: `bare.ts NUMBER COUNT NEIGHBOURS BYTES BLOCK FOLDER`. It asks its neighbours
 * for blocks, two of each at a time, hashes each, writes 400 files, reads, hashes and syncs them. Everybody has all
 * bytes from the beginning, so nobody waits for anybody, and there is nothing to choose, to tell or to distrust.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const [number, count, neighbours, bytes, block] = process.argv.slice(2, 7).map(Number) as [
  number,
  number,
  number,
  number,
  number,
];
const folder = process.argv[7]!;
const PORT = 7000;
const FILES = 400;
const request = Buffer.alloc(17);
const payload = Buffer.alloc(block, 7);

createServer((socket) => {
  let asked = 0;
  socket.setNoDelay(true);
  socket.on('data', ({ length }) => {
    for (asked += length; asked >= request.length; asked -= request.length) socket.write(payload);
  });
  socket.on('error', () => undefined);
}).listen(PORT, '0.0.0.0', () => console.log('ready'));

await once(process, 'SIGUSR2');
mkdirSync(folder, { recursive: true });
const files = Array.from({ length: FILES }, (_, file) => `${folder}/${file}`);
for (const file of files) closeSync(openSync(file, 'w'));
const blocks = Math.ceil(bytes / block);
let left = blocks;
let next = 0;

const take = (bytesOfBlock: Buffer): void => {
  createHash('sha1').update(bytesOfBlock).digest();
  const file = openSync(files[Math.floor(((blocks - left) * FILES) / blocks)]!, 'a');
  writeSync(file, bytesOfBlock);
  closeSync(file);
  if (--left > 0) return;
  for (const path of files) {
    createHash('sha256').update(readFileSync(path)).digest();
    const descriptor = openSync(path, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
  }
  console.log('done');
};

for (let step = 1; step <= neighbours; step++) {
  const socket = connect(PORT, `10.77.0.${((number + step) % count) + 1}`);
  const filling = Buffer.alloc(block);
  let filled = 0;
  const ask = (): void => {
    if (next++ < blocks) socket.write(request);
  };
  socket.setNoDelay(true);
  socket.on('connect', () => {
    ask();
    ask();
  });
  socket.on('data', (arrived: Buffer) => {
    for (let at = 0; at < arrived.length; ) {
      const copied = arrived.copy(filling, filled, at);
      at += copied;
      filled += copied;
      if (filled < block) return;
      filled = 0;
      take(filling);
      ask();
    }
  });
}
