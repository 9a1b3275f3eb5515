import { coolDownMs, giveUpMs, hashEvery, type LoadReport, type LoadSettings } from './contract.ts';

/** What a Node client of a system gives: one group, joined already. */
export interface Group {
  send(body: Uint8Array): void;
  leave(): Promise<void>;
}

/** A message's body: the bytes from `start` to `end`. */
export type Deliver = (bytes: Uint8Array, start: number, end: number) => void;

/** Who is in the group has changed: so many are now. */
export type Viewed = (members: number) => void;

/** Joins the group; from then on every delivery goes to `deliver`, the client's own messages included. */
export type Join = (deliver: Deliver, viewed: Viewed) => Promise<Group>;

const kind = { data: 0, end: 1, greeting: 2 } as const;

/** Sends, receives and measures, as the contract says; prints the report and returns. */
export async function runLoad(settings: LoadSettings, join: Join): Promise<void> {
  const { index, members, size, window, rate, warmupMs, measureMs } = settings;
  let sent = 0;
  let ownDelivered = 0;
  let ended = false;
  let delivered = 0;
  let measured = 0;
  let lost = 0;
  let reordered = 0;
  let hash = 0x811c9dc5;
  const hashes: number[] = [];
  const latencies: number[] = [];
  const expected = new Array<number>(members).fill(0);
  const greeted = new Set<number>();
  const done = new Set<number>();
  let startedAt = Infinity;
  let measureFrom = Infinity;
  let measureTo = Infinity;
  let fillScheduled = false;
  let parted = false;
  let steppedAt = Infinity;
  let heldUpMs = 0;
  const allGreeted = Promise.withResolvers<void>();
  const allDone = Promise.withResolvers<boolean>();

  // As the client in C, it makes no objects for what it receives: their collection would be part of what it measures.
  const deliver: Deliver = (bytes, start, end) => {
    const sender = uint32At(bytes, start);
    const sequence = uint32At(bytes, start + 8);
    switch (uint32At(bytes, start + 4)) {
      case kind.greeting:
        greeted.add(sender);
        if (greeted.size === members) allGreeted.resolve();
        return;
      case kind.end:
        lost += Math.max(0, sequence - expected[sender]!);
        done.add(sender);
        if (done.size === members) allDone.resolve(true);
        return;
    }
    if (end - start !== size) throw new Error(`a message of ${end - start} bytes came, sent were ${size}`);
    const now = performance.now();
    delivered++;
    if (now >= measureFrom && now < measureTo) measured++;
    if (sequence < expected[sender]!) reordered++;
    else {
      lost += sequence - expected[sender]!;
      expected[sender] = sequence + 1;
    }
    hash = Math.imul(Math.imul(hash ^ sender, 0x01000193) ^ sequence, 0x01000193);
    if (delivered % hashEvery === 0) hashes.push(hash >>> 0);
    if (sender !== index) return;
    ownDelivered++;
    if (rate > 0) {
      const sentAt = doubleAt(bytes, start + 16);
      if (sentAt >= measureFrom && sentAt < measureTo) latencies.push((now - sentAt) * 1000);
    } else if (!fillScheduled) {
      // Once for all that this turn delivers.
      fillScheduled = true;
      setImmediate(fill);
    }
    if (ended && ownDelivered === sent) sayEnd();
  };

  const viewed: Viewed = (count) => {
    if (greeted.size === members && count < members) parted = true;
  };
  const group = await join(deliver, viewed);

  const message = (what: number, bytes: number, sequence: number): Uint8Array => {
    const body = Buffer.allocUnsafe(bytes);
    body.writeUInt32LE(index, 0);
    body.writeUInt32LE(what, 4);
    body.writeUInt32LE(sequence, 8);
    body.writeDoubleLE(performance.now(), 16);
    return body;
  };
  const sayEnd = (): void => group.send(message(kind.end, 24, sent));

  function fill(): void {
    fillScheduled = false;
    if (ended) return;
    const now = performance.now();
    if (now >= measureTo + coolDownMs) {
      ended = true;
      if (ownDelivered === sent) sayEnd();
      return;
    }
    if (rate > 0 && now >= measureFrom && now < measureTo) heldUpMs = Math.max(heldUpMs, now - steppedAt);
    steppedAt = now;
    const due = rate === 0 ? Infinity : ((now - startedAt) * rate) / 1000;
    while (sent < due && sent - ownDelivered < window) group.send(message(kind.data, size, sent++));
  }

  const greeting = setInterval(() => group.send(message(kind.greeting, 24, 0)), 20);
  const go = new Promise((resolve) => process.once('SIGUSR2', resolve));
  await allGreeted.promise;
  process.stdout.write('ready\n');
  await go;
  clearInterval(greeting);

  startedAt = performance.now();
  measureFrom = startedAt + warmupMs;
  measureTo = measureFrom + measureMs;
  // At a rate these are its steps; else it only looks after the end.
  const stepping = setInterval(fill, rate > 0 ? 1 : 20);
  if (rate === 0) fill();
  const givingUp = setTimeout(() => allDone.resolve(false), warmupMs + measureMs + coolDownMs + giveUpMs);
  const complete = await allDone.promise;
  clearInterval(stepping);
  clearTimeout(givingUp);

  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)]!;
  const report: LoadReport = {
    sent,
    delivered,
    measured,
    lost,
    reordered,
    complete,
    parted,
    heldUpMs,
    hashes,
    latencyUs: latencies.length === 0 ? null : { p50: at(0.5), p99: at(0.99), max: at(1) },
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await group.leave();
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** In the machine's order, as `message` writes it on every machine that this runs on. */
function doubleAt(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < 8; index++) doubleBytes[index] = bytes[at + index]!;
  return double[0]!;
}
