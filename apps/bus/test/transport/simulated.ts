/** Daemons' exchanges on a simulated network: the host n has the address 10.0.0.n, and everything is recorded. */
import { Random, SimulatedClock, SimulatedNetwork } from '@rookery/testkit';
import { type Address, addressOf } from '../../src/transport/address.ts';
import { Exchange, type ExchangeEvent, type ExchangeOptions } from '../../src/transport/exchange.ts';

export const SECRET: Buffer = Buffer.from('a secret of the test, long enough');
export const GROUP: Address = addressOf('239.0.0.1', 4803);
const PORT = 4803;

export interface Member {
  readonly host: number;
  readonly id: number;
  readonly exchange: Exchange;
  readonly heard: string[];
  readonly events: ExchangeEvent[];
  readonly sent: { readonly to: Address; readonly datagram: Buffer }[];
  alive: boolean;
}

export interface MemberOptions extends Partial<ExchangeOptions> {
  readonly seeds?: readonly number[];
}

export class SimulatedHosts {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly network: SimulatedNetwork;
  /** Each datagram that was sent, in order. */
  readonly recorded: { readonly from: number; readonly to: Address; readonly datagram: Buffer }[] = [];

  constructor(seed = 1) {
    this.network = new SimulatedNetwork({ clock: this.clock, random: new Random(seed), delayMs: [0.1, 0.3] });
  }

  /** The daemon `id` on a host; one that was there is gone. */
  start(host: number, id: number, options: MemberOptions = {}): Member {
    const { clock, network } = this;
    const { seeds = [], ...rest } = options;
    const [heard, events, sent]: [string[], ExchangeEvent[], Member['sent']] = [[], [], []];
    const exchange = new Exchange({
      id,
      name: `d${id}`,
      now: clock.elapsedMs,
      secret: SECRET,
      encrypt: false,
      reach: 'ipv4',
      group: undefined,
      send: (datagram, to) => {
        this.recorded.push({ from: host, to, datagram });
        sent.push({ to, datagram });
        if (to.key === GROUP.key) network.multicast(host, datagram);
        else network.send(host, Number(to.host.split('.')[3]), datagram);
      },
      onPacket: (packet) => heard.push(packet.toString()),
      onEvent: (event) => events.push(event),
      ...rest,
    });
    const member: Member = { host, id, exchange, heard, events, sent, alive: true };
    network.attach(host, (bytes, from) => this.inject(member, bytes as Buffer, from));
    const tick = (): void => {
      if (!member.alive) return;
      exchange.tick(clock.elapsedMs);
      clock.schedule(tick, 100);
    };
    tick();
    exchange.setSeeds(clock.elapsedMs, seeds.map(hostAddress));
    return member;
  }

  stop(member: Member): void {
    member.alive = false;
    this.network.detach(member.host);
  }

  /** A datagram as if it came from that host. */
  inject(member: Member, datagram: Buffer, from: number): void {
    if (member.alive) member.exchange.receive(this.clock.elapsedMs, datagram, `10.0.0.${from}`, PORT);
  }
}

export function hostAddress(host: number): Address {
  return addressOf(`10.0.0.${host}`, PORT);
}

/** Who holds each id, by host, as this member sees it. */
export function known(member: Member): Record<number, number> {
  const hosts: Record<number, number> = {};
  for (const { id, address } of member.exchange.holders) hosts[id] = Number(address.host.split('.')[3]);
  return hosts;
}
