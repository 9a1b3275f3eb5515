/** A member of the group over Spread's client protocol, see contract.ts. Its own arguments: PORT GROUP SERVICE. */
import { connect } from 'node:net';
import {
  createClientDecoder,
  Output,
  type Service,
  writeAuthenticate,
  writeConnect,
  writeJoin,
  writeMulticast,
} from '@rookery/protocol/spread';
import { parseLoadArguments } from './contract.ts';
import { runLoad } from './load.ts';

const [settings, [port, group, service]] = parseLoadArguments(process.argv.slice(2));

await runLoad(settings, (deliver, viewed) => {
  const joined = Promise.withResolvers<{ send(body: Uint8Array): void; leave(): Promise<void> }>();
  const out = new Output();
  const decoder = createClientDecoder();
  const socket = connect({ port: Number(port), noDelay: true });
  let sender = '';
  let flushing = false;
  const flush = (): void => {
    flushing = false;
    socket.cork();
    for (const chunk of out.take()) socket.write(chunk);
    socket.uncork();
  };
  const send = (body: Uint8Array): void => {
    const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    writeMulticast(out, sender, {
      service: service as Service,
      selfDiscard: false,
      groups: [group!],
      messageType: 0,
      buffer,
      start: 0,
      end: buffer.length,
    });
    if (!flushing) {
      flushing = true;
      queueMicrotask(flush);
    }
  };
  writeConnect(out, {
    version: { major: 5, minor: 0, patch: 1 },
    priority: 0,
    membership: true,
    name: `b${settings.index}`,
  });
  flush();
  socket.on('data', (chunk) => {
    decoder.push(chunk as Buffer);
    for (let input = decoder.next(); input !== undefined; input = decoder.next()) {
      switch (input.kind) {
        case 'methods':
          writeAuthenticate(out, ['NULL']);
          flush();
          break;
        case 'accepted':
          sender = input.privateGroup;
          writeJoin(out, sender, group!);
          flush();
          break;
        case 'membership':
          viewed(input.members.length);
          if (input.members.includes(sender)) {
            joined.resolve({
              send,
              leave: async () => {
                socket.end();
              },
            });
          }
          break;
        case 'message':
          deliver(input.buffer, input.start, input.end);
          break;
        case 'refused':
        case 'bad':
          joined.reject(new Error(`the daemon said ${JSON.stringify(input)}`));
      }
    }
  });
  socket.on('error', joined.reject);
  return joined.promise;
});
