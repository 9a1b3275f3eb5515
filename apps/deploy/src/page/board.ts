import type { Deployment, HostProgress } from '../progress/deployment.ts';
import { OUTCOME_SAID } from '../progress/lines.ts';
import type { HostState } from '../rollout/types.ts';
import type { TrackerPeer } from '../swarm/tracker/tracker.ts';

// What the page shows, as it travels to it. Whatever is not known is left out: a thousand hosts go several times a second.

export interface BoardHost {
  readonly name: string;
  /** `origin` is of a tracker's board, which knows of a host only whether it has the payload. */
  readonly state: HostState | 'origin';
  readonly wave?: number;
  /** Of the payload. */
  readonly done_bytes: number;
  readonly total_bytes: number;
  readonly bytes_per_second?: number;
  readonly peers?: number;
  readonly sent_bytes?: number;
  readonly rack?: string;
  readonly doing?: string;
  /** In this state. */
  readonly seconds?: number;
  readonly failure?: {
    readonly step: string;
    readonly code: string;
    readonly message: string;
    readonly output?: string;
  };
}

export interface Board {
  /** A deployment's number, or a swarm's info hash. */
  readonly key: string;
  readonly title: string;
  readonly subtitle: string;
  readonly hosts: readonly BoardHost[];
  /** Pairs of hosts, by their places; the origins of a push are not among its hosts and stand behind them. */
  readonly links: readonly (readonly [number, number])[];
  /** Hosts that are no hosts of the push: its origins. */
  readonly others: readonly string[];
  readonly bytes_per_second: number;
  readonly origin_sent_bytes?: number;
  /** Only of a push. */
  readonly push?: {
    readonly seconds: number;
    readonly waves: readonly {
      readonly number: number;
      readonly hosts: number;
      readonly state: 'waiting' | 'started' | 'healthy' | 'failed';
    }[];
    readonly stopping?: string;
    readonly warnings: readonly { readonly host: string; readonly message: string }[];
    readonly end?: { readonly outcome: string; readonly text: string };
  };
}

/** More than a page of links can be told apart by nobody. */
const LINKS_MAX = 20_000;
const WARNINGS_MAX = 20;
/** The end of what a hook has written. */
const OUTPUT_CHARACTERS_MAX = 2_000;

/** A push as the page shows it. Undefined before it has begun. */
export function boardOfPush(
  deployment: Deployment,
  peers: readonly TrackerPeer[],
  now: number,
): Board | undefined {
  const { push, hosts, waves, swarm, warnings, stopping, done } = deployment;
  if (push === undefined) return undefined;
  const places = new Map(hosts.map(({ name, index }) => [name, index]));
  const others: string[] = [];
  const placeOf = peers.map(({ name, address, origin }) => {
    const known = name === undefined ? undefined : places.get(name);
    if (known !== undefined) return known;
    others.push(name ?? (origin ? 'origin' : address));
    return hosts.length + others.length - 1;
  });
  const seconds = done?.seconds ?? (now - deployment.beganAt) / 1000;
  return {
    key: push.deployment,
    title: `${push.app} ${push.version}`,
    subtitle: `by ${push.by}, since ${push.time.slice(0, 16).replace('T', ' ')} UTC`,
    hosts: hosts.map((host) => hostOf(host, deployment, push.hosts[host.index]?.rack ?? null, now)),
    links: linksOf(peers, placeOf),
    others,
    bytes_per_second: Math.round(deployment.rate(now)),
    ...(swarm === undefined ? {} : { origin_sent_bytes: swarm.origin_sent_bytes }),
    push: {
      seconds: Math.round(seconds * 10) / 10,
      waves,
      warnings: warnings.slice(-WARNINGS_MAX),
      ...(stopping === undefined ? {} : { stopping: stopping.message }),
      ...(done === undefined ? {} : { end: { outcome: done.outcome, text: OUTCOME_SAID[done.outcome] } }),
    },
  };
}

function hostOf(host: HostProgress, deployment: Deployment, rack: string | null, now: number): BoardHost {
  const { name, state, wave, doneBytes, totalBytes, peers, doing, failure, since } = host;
  const rate = Math.round(deployment.rateOf(host, now));
  return {
    name,
    state,
    done_bytes: doneBytes,
    total_bytes: totalBytes,
    ...(wave === undefined ? {} : { wave }),
    ...(rate === 0 ? {} : { bytes_per_second: rate }),
    ...(peers === 0 ? {} : { peers }),
    ...(rack === null ? {} : { rack }),
    ...(doing === undefined ? {} : { doing }),
    ...(deployment.done === undefined ? { seconds: Math.floor((now - since) / 1000) } : {}),
    ...(failure === undefined ? {} : { failure: failureOf(failure) }),
  };
}

function failureOf({
  step,
  code,
  message,
  output,
}: NonNullable<HostProgress['failure']>): NonNullable<BoardHost['failure']> {
  return {
    step,
    code,
    message,
    ...(output === undefined || output === '' ? {} : { output: output.slice(-OUTPUT_CHARACTERS_MAX) }),
  };
}

/** A swarm as its tracker knows it: what peers have said when they last announced. */
export function boardOfSwarm(infoHash: string, peers: readonly TrackerPeer[]): Board {
  // Nobody says how large the payload is; who has begun with nothing has said it.
  const total = Math.max(0, ...peers.map(({ missingBytes, fetchedBytes }) => missingBytes + fetchedBytes));
  return {
    key: infoHash,
    title: `Swarm ${infoHash.slice(0, 12)}`,
    subtitle: `info hash ${infoHash}`,
    hosts: peers.map(({ name, address, rack, origin, complete, missingBytes, sentBytes, links }) => ({
      name: name ?? address,
      state: origin ? 'origin' : complete ? 'fetched' : 'fetching',
      done_bytes: Math.max(0, total - missingBytes),
      total_bytes: total,
      peers: links.length,
      ...(sentBytes === 0 ? {} : { sent_bytes: sentBytes }),
      ...(rack === undefined ? {} : { rack }),
    })),
    links: linksOf(
      peers,
      peers.map((_, place) => place),
    ),
    others: [],
    bytes_per_second: 0,
  };
}

function linksOf(peers: readonly TrackerPeer[], placeOf: readonly number[]): (readonly [number, number])[] {
  const links: (readonly [number, number])[] = [];
  for (const [place, { links: neighbours }] of peers.entries()) {
    for (const other of neighbours) if (place < other) links.push([placeOf[place]!, placeOf[other]!]);
    if (links.length >= LINKS_MAX) break;
  }
  return links;
}
