// What the harness and every client of it agree on, the clients in C included: the arguments that each begins with, and
// the line that it prints at its end. In between a client joins the group, sends greetings until it has heard one from
// every member, prints `ready`, and starts at SIGUSR2.

export interface LoadSettings {
  /** This client among the members, from 0. */
  readonly index: number;
  readonly members: number;
  /** Bytes of a message, at least 24. */
  readonly size: number;
  /** Own messages sent and not yet delivered here: no more than so many. */
  readonly window: number;
  /** Messages a second of this client, sent in steps of a millisecond; 0: as the window lets. */
  readonly rate: number;
  readonly warmupMs: number;
  readonly measureMs: number;
}

export interface LoadReport {
  /** All that this client sent. */
  readonly sent: number;
  /** All that it was delivered, of all members, until each had said that it sends no more. */
  readonly delivered: number;
  /** Of these, within the time measured. */
  readonly measured: number;
  /** Messages that a member sent and this client didn't get, and those it got out of their sender's order. */
  readonly lost: number;
  readonly reordered: number;
  /** Whether every member's end came; if not, it gave up waiting. */
  readonly complete: boolean;
  /**
   * Whether a view without some member came, where the system tells of views: a server that gets no processor for long
   * counts as gone. Then the others rightly never hear what it sends meanwhile.
   */
  readonly parted: boolean;
  /** The running hash of who sent what, after every `hashEvery` messages: the same order gives the same hashes. */
  readonly hashes: readonly number[];
  /**
   * The longest time between two steps of a paced sender, which are due each millisecond, while it measured. Far above
   * a collection's 10 ms, somebody else had the processor, and perhaps a server's too. 0 where nothing was paced, and
   * from clients in C.
   */
  readonly heldUpMs: number;
  /** From send to self-delivery; null where nothing was paced. */
  readonly latencyUs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
}

export const hashEvery = 1000;

/**
 * How much longer than it measures a client sends, so that nobody measures with the others gone, and the harness finds
 * all of them when it is late: under a real-time priority it has to wait for the others' time slices.
 */
export const coolDownMs = 1000;

/** How long after its last message a client waits for what is still to come. */
export const giveUpMs = 10_000;

const order = ['index', 'members', 'size', 'window', 'rate', 'warmupMs', 'measureMs'] as const;

export function loadArguments(settings: LoadSettings): string[] {
  return order.map((name) => String(settings[name]));
}

/** The settings, and what follows them: the arguments of the system's own client. */
export function parseLoadArguments(args: readonly string[]): [LoadSettings, string[]] {
  const numbers = Object.fromEntries(order.map((name, position) => [name, Number(args[position])]));
  return [numbers as unknown as LoadSettings, args.slice(order.length)];
}
