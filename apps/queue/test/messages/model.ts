/** What is known of one message that is somewhere. */
export interface Known {
  readonly body: string;
  readonly queue: string;
  readonly priority: number;
  readonly returns: number;
  /** 0: it is not delayed. */
  readonly dueAt: number;
  readonly id: string | undefined;
  readonly origin: string | undefined;
  /** Where it stands among those of its priority; undefined when it has moved, and only its time says. */
  readonly order: number | undefined;
}

export interface KnownIdOf {
  readonly id: string;
  readonly at: number;
}

/** Of `q`, as far as they change. */
export interface Settings {
  readonly paused: boolean;
  readonly maxDeliveries: number;
}

/** One change as a whole: what a message is after it (undefined: gone), and the id that it makes known; or settings. */
export interface Effect {
  readonly body?: string;
  readonly after?: Known | undefined;
  readonly id?: KnownIdOf;
  readonly settings?: Settings;
}

/** A plain model of queues: what is where, and which ids are known. */
export interface Model {
  readonly messages: ReadonlyMap<string, Known>;
  readonly ids: readonly KnownIdOf[];
  readonly settings: Settings;
}

export const emptyModel: Model = {
  messages: new Map(),
  ids: [],
  settings: { paused: false, maxDeliveries: 3 },
};

export function applied(model: Model, effects: readonly Effect[]): Model {
  const messages = new Map(model.messages);
  const ids = [...model.ids];
  let { settings } = model;
  for (const { body, after, id, settings: changed } of effects) {
    if (changed !== undefined) settings = changed;
    if (body !== undefined && after === undefined) messages.delete(body);
    else if (body !== undefined) messages.set(body, after!);
    if (id !== undefined) {
      const before = ids.findIndex((known) => known.id === id.id);
      if (before >= 0) ids.splice(before, 1);
      ids.push(id);
    }
  }
  return { messages, ids, settings };
}

/** Each subset of what was under way may have happened. */
export function candidates(model: Model, underWay: readonly Effect[]): Model[] {
  const all: Model[] = [];
  for (let mask = 0; mask < 2 ** underWay.length; mask += 1) {
    all.push(
      applied(
        model,
        underWay.filter((_, at) => (mask & (1 << at)) !== 0),
      ),
    );
  }
  return all;
}

export function knownIds(model: Model, now: number, items: number, windowMs: number): string[] {
  return model.ids
    .slice(-items)
    .filter(({ at }) => at + windowMs > now)
    .map(({ id }) => id)
    .sort();
}

/** As one text, to compare: a delayed message whose time has come is ready, wherever it stands. */
export function told(
  messages: Iterable<Omit<Known, 'order'>>,
  ids: readonly string[],
  settings: Settings,
  now: number,
): string {
  const lines = [...messages].map(({ body, queue, priority, returns, dueAt, id, origin }) =>
    JSON.stringify([body, queue, priority, returns, dueAt > now ? dueAt : 0, id ?? '', origin ?? '']),
  );
  return [...lines.sort(), `ids ${ids.join(' ')}`, JSON.stringify(settings)].join('\n');
}
