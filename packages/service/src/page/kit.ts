/// <reference lib="dom" preserve="true" />
// Runs in the browser: its source text is what is sent, so it uses nothing but the browser's own names.

export type Child = Node | string | null | undefined;

export interface FeedHandlers<Snapshot, Update> {
  snapshot?(value: Snapshot): void;
  update?(value: Update): void;
  /** What it says when nobody is there; default `not connected`. */
  lost?(): string | undefined;
  /** Whether it goes on while nobody sees the page: what comes to an end has to be seen when it is there. */
  unseen?(): boolean;
}

export interface Watching {
  /** The feed has come to its end, and says so. */
  (text: string): void;
  /** Asks anew: what is to be watched has changed. */
  again(): void;
}

/** What the pages of all apps share, as `rookery`. */
export interface PageKit {
  /** Makes an element. Children are text or elements: nothing is ever parsed as HTML. */
  el<Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag,
    properties?: Readonly<Record<string, unknown>>,
    ...children: Child[]
  ): HTMLElementTagNameMap[Tag];
  /** The element of the page with this id. */
  by<Element extends HTMLElement = HTMLElement>(id: string): Element;
  /** Sets the text if it is another, so that nothing is selected or told twice. */
  say(element: Element, text: string): void;
  bytes(n: number): string;
  count(n: number): string;
  /** `1.2k`, where there is little room. */
  short(n: number): string;
  seconds(n: number): string;
  /** JSON of a route. @throws Error with what the server said. */
  get<Answer>(path: string): Promise<Answer>;
  /** The same for a write; the body goes as JSON, which no form of another site can send. */
  post<Answer>(path: string, body: unknown): Promise<Answer>;
  /**
   * Follows a feed, comes back when it was cut off, asks for the token where one is needed, and rests while nobody sees
   * the page.
   */
  watch<Snapshot, Update = never>(
    path: string | (() => string),
    handlers: FeedHandlers<Snapshot, Update>,
  ): Watching;
  /** Keeps the children of a list, one for each item, in its order; what is there stays, focus and selection too. */
  keyed<Item>(
    parent: Element,
    items: readonly Item[],
    key: (item: Item) => string,
    create: (item: Item) => { readonly element: Element; update(item: Item): void },
  ): void;
  /** Asks before something is done; false if it was let be. `ready` says whether it may be done. */
  ask(title: string, action: string, children: readonly Child[], ready?: () => boolean): Promise<boolean>;
}

/** A token may come in the fragment (`#token=…`), which is sent to nobody. */
export function makeKit(): PageKit {
  const TOKEN = 'rookery-token';
  const given = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (given !== undefined) {
    sessionStorage.setItem(TOKEN, decodeURIComponent(given));
    history.replaceState(null, '', location.pathname + location.search);
  }

  const el: PageKit['el'] = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    const attributes = new Set(['role', 'scope', 'colspan', 'for', 'list']);
    for (const [name, value] of Object.entries(properties)) {
      if (name === 'class') element.className = String(value);
      else if (name.includes('-') || attributes.has(name)) element.setAttribute(name, String(value));
      else Object.assign(element, { [name]: value });
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  };
  const by = <Element extends HTMLElement>(id: string): Element => document.getElementById(id) as Element;
  const say = (element: Element, text: string): void => {
    if (element.textContent !== text) element.textContent = text;
  };

  // ---- Figures

  const bytes = (n: number): string => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    let left = n;
    while (left >= 1000 && unit < 4) {
      left /= 1024;
      unit++;
    }
    return `${unit === 0 || left >= 100 ? Math.round(left) : left.toFixed(1)} ${units[unit]}`;
  };
  const count = (n: number): string => Math.round(n).toLocaleString('en');
  const short = (n: number): string => {
    if (n < 9999.5) return n > 0 && n < 9.95 && n % 1 !== 0 ? n.toFixed(1) : count(n);
    const power = Math.min(4, Math.floor(Math.log10(n) / 3));
    const left = n / 1000 ** power;
    return `${left < 99.95 ? left.toFixed(1) : Math.round(left)}${['', 'k', 'M', 'G', 'T'][power]}`;
  };
  const seconds = (n: number): string => {
    if (n < 60) return `${n.toFixed(n < 10 ? 1 : 0)} s`;
    if (n < 3600) return `${Math.floor(n / 60)} min ${String(Math.floor(n % 60)).padStart(2, '0')} s`;
    if (n < 172_800) return `${Math.floor(n / 3600)} h ${Math.floor((n % 3600) / 60)} min`;
    return `${Math.floor(n / 86_400)} days`;
  };

  // ---- The server

  const connection = by('connection');
  const tell = (state: string, sign: string, text: string): void => {
    connection.dataset.state = state;
    say(connection.firstElementChild!, sign);
    say(connection.lastElementChild!, text);
  };
  const form = by<HTMLFormElement>('token-form');
  let asking: Promise<void> | undefined;
  const askForToken = (): Promise<void> => {
    asking ??= new Promise((resolve) => {
      form.hidden = false;
      const input = by<HTMLInputElement>('token');
      input.value = '';
      input.focus();
      form.onsubmit = (event) => {
        event.preventDefault();
        sessionStorage.setItem(TOKEN, input.value);
        input.value = '';
        form.hidden = true;
        asking = undefined;
        resolve();
      };
    });
    return asking;
  };
  const open = async (path: string, init: RequestInit = {}): Promise<Response> => {
    for (;;) {
      const token = sessionStorage.getItem(TOKEN);
      const headers = new Headers(init.headers);
      if (token !== null) headers.set('authorization', `Bearer ${token}`);
      const response = await fetch(path, { ...init, headers });
      if (response.ok) return response;
      if (response.status !== 401) {
        const answer = await response.json().catch(() => undefined);
        throw new Error(answer?.error?.message ?? `HTTP ${response.status}`);
      }
      tell('lost', '✗', token === null ? 'a token is needed' : 'the token is wrong');
      // Another request may have asked meanwhile.
      if (sessionStorage.getItem(TOKEN) === token) {
        sessionStorage.removeItem(TOKEN);
        await askForToken();
      }
    }
  };
  const answerOf = async <Answer>(response: Response): Promise<Answer> =>
    response.status === 204 ? (undefined as Answer) : ((await response.json()) as Answer);
  const get: PageKit['get'] = async (path) => answerOf(await open(path));
  const post: PageKit['post'] = async (path, body) => {
    const headers = { 'content-type': 'application/json' };
    return answerOf(await open(path, { method: 'POST', headers, body: JSON.stringify(body) }));
  };

  type Handlers = FeedHandlers<unknown, unknown>;
  const read = async (response: Response, handlers: Handlers): Promise<void> => {
    const decoder = new TextDecoder();
    const reader = response.body!.getReader();
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const found = /^event: (snapshot|update)\ndata: (.*)$/.exec(text.slice(0, end));
        text = text.slice(end + 2);
        if (found !== null) handlers[found[1] as 'snapshot' | 'update']?.(JSON.parse(found[2]!));
      }
    }
  };

  const watch: PageKit['watch'] = (path, handlers) => {
    let ended = false;
    let controller = new AbortController();
    /** Set while it waits: for a while, or to be seen. */
    let wake: (() => void) | undefined;
    const restart = (): void => {
      controller.abort();
      wake?.();
    };
    const waitFor = (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    const turn = async (): Promise<void> => {
      let waitMs = 500;
      while (!ended) {
        if (document.hidden && handlers.unseen?.() !== true) {
          await waitFor(2 ** 31 - 1);
          continue;
        }
        controller = new AbortController();
        const { signal } = controller;
        let problem: string | undefined;
        try {
          const response = await open(typeof path === 'string' ? path : path(), { signal });
          tell('live', '●', 'live');
          waitMs = 500;
          await read(response, handlers as Handlers);
        } catch (error) {
          if (!(error instanceof TypeError)) problem = (error as Error).message;
        }
        if (ended || signal.aborted) continue;
        tell('lost', '✗', `${problem ?? handlers.lost?.() ?? 'not connected'}; trying again`);
        await waitFor(waitMs);
        waitMs = Math.min(waitMs * 2, 10_000);
      }
    };
    // A browser opens six connections to a server: pages that nobody sees must not hold them.
    const seen = (): void => {
      if (handlers.unseen?.() !== true) restart();
    };
    document.addEventListener('visibilitychange', seen);
    turn();
    const end = (text: string): void => {
      if (ended) return;
      ended = true;
      document.removeEventListener('visibilitychange', seen);
      restart();
      tell('ended', '■', text);
    };
    return Object.assign(end, { again: restart });
  };

  // ---- Elements that live

  interface Kept<Item> {
    readonly element: Element;
    update(item: Item): void;
  }
  const known = new WeakMap<Element, Map<string, Kept<never>>>();
  const keyed = <Item>(
    parent: Element,
    items: readonly Item[],
    key: (item: Item) => string,
    create: (item: Item) => Kept<Item>,
  ): void => {
    const before = (known.get(parent) ?? new Map()) as Map<string, Kept<Item>>;
    const now = new Map<string, Kept<Item>>();
    for (const item of items) {
      const name = key(item);
      const entry = before.get(name) ?? create(item);
      entry.update(item);
      now.set(name, entry);
    }
    for (const [name, { element }] of before) if (!now.has(name)) element.remove();
    let at = parent.firstElementChild;
    for (const { element } of now.values()) {
      if (at !== null && element === at) at = at.nextElementSibling;
      else parent.insertBefore(element, at);
    }
    known.set(parent, now);
  };

  const ask: PageKit['ask'] = (title, action, children, ready = () => true) =>
    new Promise((resolve) => {
      const go = el('button', { type: 'submit', class: 'primary', disabled: !ready() }, action);
      const cancel = el('button', { type: 'button' }, 'Cancel');
      const body = el('form', {}, el('h2', { id: 'ask-title' }, title), ...children);
      body.append(el('p', { class: 'actions' }, cancel, go));
      const dialog = el('dialog', { 'aria-labelledby': 'ask-title' }, body);
      let answer = false;
      body.addEventListener('input', () => {
        go.disabled = !ready();
      });
      body.addEventListener('submit', (event) => {
        event.preventDefault();
        answer = ready();
        dialog.close();
      });
      cancel.addEventListener('click', () => dialog.close());
      dialog.addEventListener('close', () => {
        dialog.remove();
        resolve(answer);
      });
      document.body.append(dialog);
      dialog.showModal();
    });

  return { el, by, say, bytes, count, short, seconds, get, post, watch, keyed, ask };
}
