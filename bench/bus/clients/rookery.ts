/** A member of the group over the bus's own client library, see contract.ts. Its own arguments: URL GROUP SERVICE. */
import { connect, type Service } from '../../../apps/bus/src/client/node.ts';
import { parseLoadArguments } from './contract.ts';
import { runLoad } from './load.ts';

const [settings, [url, name, service]] = parseLoadArguments(process.argv.slice(2));

await runLoad(settings, async (deliver, viewed) => {
  const bus = await connect(url!, { membership: true });
  const group = await bus.join(name!);
  void (async () => {
    for await (const event of group) {
      if (event.kind === 'message') deliver(event.data, 0, event.data.length);
      else if (event.kind === 'view') viewed(event.members.length);
    }
  })();
  return {
    send: (body) => void bus.send(name!, body, { service: service as Service }),
    leave: () => bus.close(),
  };
});
