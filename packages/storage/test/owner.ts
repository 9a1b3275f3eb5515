/** What an owner of a log does with it, each thing told to the model at once. */
import type { Random } from '@rookery/testkit';
import type { Log, Stream } from '../src/index.ts';
import { type Model, type ModelMessage, type ModelStream, payloadOf, told, Violation } from './model.ts';
import type { Action, SimulationOptions } from './options.ts';

/** One time between an opening of the log and its end. */
export interface Life {
  readonly log: Log;
  /** Of those that exist. */
  readonly streams: Map<ModelStream, Stream>;
}

/** What an owner lives in: the simulation. */
export interface World {
  readonly options: SimulationOptions;
  readonly random: Random;
  readonly model: Model;
  life(): Life;
  /** The log has told that it failed. */
  failed(): boolean;
  act(action: Action): Promise<void>;
  wait<T>(promise: Promise<T>, what: string): Promise<T>;
  note(text: () => string): void;
}

export class Owner {
  readonly #world: World;
  #payloads = 0;

  constructor(world: World) {
    this.#world = world;
  }

  #draw(cursor = false): ModelStream | undefined {
    const all = [...this.#world.life().streams.keys()].filter((stream) => stream.isCursor === cursor);
    return all.length === 0 ? undefined : this.#world.random.pick(all);
  }

  #payload(): Buffer {
    const [low, high] = this.#world.options.payloadBytes;
    const size = this.#world.random.chance(0.03)
      ? this.#world.options.maxPayloadBytes
      : this.#world.random.between(low, high);
    const payload = this.#world.random.chance(0.1) ? Buffer.alloc(size) : this.#world.random.bytes(size);
    // So that no two are the same, as far as there is room.
    const number = Buffer.alloc(8);
    number.writeDoubleLE(++this.#payloads);
    number.copy(payload);
    return payload;
  }

  append(moved?: { stream: Stream; message: ModelMessage }): void {
    const target = this.#draw();
    if (target === undefined) {
      this.create();
      return;
    }
    if (moved === undefined && this.#world.life().log.stats.liveBytes > this.#world.options.liveBytes) return;
    const stream = this.#world.life().streams.get(target)!;
    const payload = this.#payload();
    // Parted at random into the head and a slice of a larger buffer.
    const headLength = this.#world.random.below(Math.min(payload.length, 40) + 1);
    const before = this.#world.random.below(20);
    const body = Buffer.concat([Buffer.alloc(before), payload.subarray(headLength), Buffer.alloc(3)]);
    const bodyEnd = before + payload.length - headLength;
    const entry = stream.append(
      payload.subarray(0, headLength),
      body,
      before,
      bodyEnd,
      moved && { stream: moved.stream, entry: moved.message.entry! },
    );
    body.fill(0xee); // Both are copied: the log must not need them any more.
    const { position } = this.#world.life().log;
    this.#world.note(() => `append ${told(target)} #${entry.sequence} ${payload.length} B @${position}`);
    if (!payloadOf(entry).equals(payload)) throw new Violation('an entry has other bytes than were appended');
    const message = this.#world.model.append(target, entry, payload, position);
    if (moved === undefined) return;
    this.#world.note(() => `  moved from ${told(moved.message.stream)} #${moved.message.sequence}`);
    this.#world.model.acknowledge(moved.message, position, message);
  }

  move(): void {
    const source = this.#draw();
    const live =
      source === undefined ? [] : this.#world.model.live(source).filter((message) => message.entry);
    if (source === undefined || live.length === 0) return;
    this.append({ stream: this.#world.life().streams.get(source)!, message: this.#world.random.pick(live) });
  }

  acknowledge(next: boolean): void {
    const source = this.#draw();
    if (source === undefined) return;
    const live = this.#world.model.live(source).filter((message) => message.entry);
    const message = next ? live[0] : live.length > 0 ? this.#world.random.pick(live) : undefined;
    if (message === undefined) return;
    if (!payloadOf(message.entry!).equals(message.payload))
      throw new Violation('a held entry changed its bytes');
    const stream = this.#world.life().streams.get(source)!;
    stream.acknowledge(message.entry!);
    const { position } = this.#world.life().log;
    this.#world.note(() => `acknowledge ${told(source)} #${message.sequence} @${position}`);
    this.#world.model.acknowledge(message, position);
    if (this.#world.random.chance(0.1)) stream.acknowledge(message.entry!);
  }

  acknowledgeThrough(): void {
    const source = this.#draw();
    const live = source === undefined ? [] : this.#world.model.live(source);
    if (source === undefined || live.length === 0) return;
    const through = this.#world.random.pick(live).sequence;
    this.#world.life().streams.get(source)!.acknowledgeThrough(through);
    const { position } = this.#world.life().log;
    this.#world.note(() => `acknowledge ${told(source)} through #${through} @${position}`);
    for (const message of live)
      if (message.sequence <= through) this.#world.model.acknowledge(message, position);
  }

  cursor(): void {
    const cursor = this.#draw(true);
    if (cursor === undefined) return;
    const sequence = this.#world.random.chance(0.7)
      ? cursor.cursor.size + 1
      : this.#world.random.between(1, 300);
    this.#world.life().streams.get(cursor)!.acknowledgeSequence(sequence);
    const { position } = this.#world.life().log;
    this.#world.note(() => `cursor ${told(cursor)} #${sequence} @${position}`);
    if (!cursor.cursor.has(sequence)) cursor.cursor.set(sequence, position);
  }

  setAttributes(): void {
    const target = this.#draw();
    if (target === undefined) return;
    const bytes = this.#world.random.bytes(this.#world.random.below(60));
    this.#world.life().streams.get(target)!.setAttributes(bytes);
    const { position } = this.#world.life().log;
    this.#world.note(() => `attributes of ${told(target)} @${position}`);
    target.attributes.push({ bytes, position });
  }

  create(): void {
    const { log, streams } = this.#world.life();
    if (streams.size >= this.#world.options.streams) return;
    const isCursor = this.#world.random.chance(0.2) && this.#world.options.weights.cursor > 0;
    // Few names, so that they are used again after a removal.
    const name = `${isCursor ? 'cursor' : 'stream'}-${this.#world.random.below(this.#world.options.streams * 2)}`;
    if (log.streams.has(name)) return;
    const attributes = this.#world.random.bytes(this.#world.random.below(40));
    const stream = log.createStream(name, attributes);
    this.#world.note(() => `create ${name} (${stream.id}) @${log.position}`);
    streams.set(this.#world.model.create(stream.id, name, attributes, log.position, isCursor), stream);
  }

  remove(): void {
    const target = this.#draw(this.#world.random.chance(0.2));
    if (target === undefined) return;
    const { log, streams } = this.#world.life();
    streams.get(target)!.remove();
    this.#world.note(() => `remove ${told(target)} @${log.position}`);
    target.removed = log.position;
    streams.delete(target);
    if (log.streams.get(target.name)?.id === target.id)
      throw new Violation(`${told(target)} is still listed`);
  }

  /** Looks at the figures of a stream, which must be right at each moment. */
  peek(): void {
    const target = this.#draw(this.#world.random.chance(0.2));
    if (target === undefined) return;
    const stream = this.#world.life().streams.get(target)!;
    for (const message of target.messages.values()) {
      if (this.#world.random.chance(0.9)) continue;
      if (stream.isAcknowledged(message.sequence) !== (message.acknowledged !== undefined)) {
        throw new Violation(`${told(target)}: says the wrong thing of #${message.sequence}`);
      }
    }
    if (!Buffer.from(stream.attributes).equals(target.attributes.at(-1)!.bytes)) {
      throw new Violation(`${told(target)} has other attributes than were set`);
    }
  }

  async read(): Promise<void> {
    const target = this.#draw();
    if (target === undefined) return;
    const stream = this.#world.life().streams.get(target)!;
    const after = this.#world.random.chance(0.5) ? 0 : this.#world.random.below(stream.nextSequence);
    const limit = {
      maxEntries: this.#world.random.between(1, 50),
      maxBytes: this.#world.random.between(1, 20_000),
    };
    const before = this.#world.model.live(target).filter((message) => message.sequence > after);
    this.#world.note(() => `read ${told(target)} after ${after}`);
    const reading = stream.read(after, limit);
    // It is read while other things go on.
    if (this.#world.random.chance(0.3)) {
      reading.catch(() => undefined);
      for (let i = this.#world.random.below(4); i > 0; i--) {
        await this.#world.act(
          this.#world.random.pick(['append', 'acknowledge', 'acknowledgeNext', 'create'] as const),
        );
      }
    }
    const entries = await this.#world.wait(reading, 'a read');
    // After a failed sync the system may have thrown away what was written.
    if (this.#world.failed()) return;
    const known = new Map(before.map((message) => [message.sequence, message]));
    let previous = after;
    for (const entry of entries) {
      const message = target.messages.get(entry.sequence) ?? known.get(entry.sequence);
      const name = `${told(target)}: read #${entry.sequence}`;
      if (entry.sequence <= previous) throw new Violation(`${name} after #${previous}`);
      previous = entry.sequence;
      if (message === undefined) throw new Violation(`${name}, which is not there`);
      if (!payloadOf(entry).equals(message.payload)) throw new Violation(`${name} with other bytes`);
      message.entry = entry;
    }
    if (entries.length > limit.maxEntries)
      throw new Violation(`read ${entries.length} of ${limit.maxEntries}`);
    const got = new Set(entries.map((entry) => entry.sequence));
    for (const message of before) {
      if (entries.length > 0 && message.sequence > previous) break;
      if (message.acknowledged === undefined && !got.has(message.sequence)) {
        throw new Violation(`${told(target)}: a read after ${after} left out #${message.sequence}`);
      }
    }
    for (const sequence of got) {
      const message = target.messages.get(sequence);
      if (message?.acknowledged !== undefined && !known.has(sequence)) {
        throw new Violation(`${told(target)}: read #${sequence}, which was acknowledged before`);
      }
    }
  }
}
