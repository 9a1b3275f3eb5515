/**
 * A client's first words, on the daemon's side: version, wishes, name, and from 3.16 on the choice of methods.
 *
 * Spread's daemon takes each part from one read, and waits for it; here the bytes may come one by one.
 */
import type { ByteSource } from '../../bytes/source.ts';
import type { BadReason } from '../errors.ts';
import type { Authenticate, Connect } from '../frames.ts';
import { METHOD_NAME_BYTES, METHODS, PRIVATE_NAME_BYTES } from '../limits.ts';
import { isPrivateName } from '../names.ts';
import { atLeast, CHOOSES_METHOD, OLDEST, SENDS_PATCH } from '../versions.ts';

const At = { version: 0, patch: 1, wishes: 2, name: 3, methods: 4, done: 5 } as const;
const METHOD_FIELD_BYTES = METHOD_NAME_BYTES + 1;

export class HandshakeDecoder {
  readonly #source: ByteSource;
  #state: number = At.version;
  #major = 0;
  #minor = 0;
  #patch = 0;
  #wishes = 0;
  #nameLength = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Nothing more to read: the frames follow, once the daemon has let the client in. */
  get done(): boolean {
    return this.#state === At.done;
  }

  next(): Connect | Authenticate | BadReason | undefined {
    const source = this.#source;
    for (;;) {
      switch (this.#state) {
        case At.version:
          if (!source.run(2)) return undefined;
          this.#major = source.found[source.start]!;
          this.#minor = source.found[source.start + 1]!;
          // Known by now: a client this old sends no patch.
          if (!atLeast(this.#major, this.#minor, OLDEST)) return 'version';
          this.#state = atLeast(this.#major, this.#minor, SENDS_PATCH) ? At.patch : At.wishes;
          break;
        case At.patch:
          if (!source.run(1)) return undefined;
          this.#patch = source.found[source.start]!;
          this.#state = At.wishes;
          break;
        case At.wishes:
          if (!source.run(2)) return undefined;
          this.#wishes = source.found[source.start]!;
          this.#nameLength = source.found[source.start + 1]!;
          if (this.#nameLength > PRIVATE_NAME_BYTES) return 'illegal_name';
          this.#state = At.name;
          break;
        case At.name: {
          if (!source.run(this.#nameLength)) return undefined;
          const name = source.found.toString('latin1', source.start, source.stop);
          if (name !== '' && !isPrivateName(name)) return 'illegal_name';
          return this.#connect(name);
        }
        case At.methods: {
          if (!source.run(METHODS * METHOD_FIELD_BYTES)) return undefined;
          this.#state = At.done;
          const methods = readMethods(source.found, source.start);
          return methods === undefined ? 'auth' : { kind: 'authenticate', methods };
        }
        default:
          return undefined;
      }
    }
  }

  #connect(name: string): Connect {
    const choosesMethod = atLeast(this.#major, this.#minor, CHOOSES_METHOD);
    this.#state = choosesMethod ? At.methods : At.done;
    return {
      kind: 'connect',
      version: { major: this.#major, minor: this.#minor, patch: this.#patch },
      priority: this.#wishes >> 4,
      membership: (this.#wishes & 1) === 1,
      name,
      choosesMethod,
    };
  }
}

/** The names in the three fields, up to the first empty one. `undefined` if there is none, or no zero behind one. */
function readMethods(buffer: Buffer, at: number): string[] | undefined {
  const methods: string[] = [];
  for (let index = 0; index < METHODS; index++) {
    const from = at + index * METHOD_FIELD_BYTES;
    if (buffer[from] === 0) break;
    const end = buffer.subarray(from, from + METHOD_FIELD_BYTES).indexOf(0);
    if (end < 0) return undefined;
    methods.push(buffer.toString('latin1', from, from + end));
  }
  return methods.length > 0 ? methods : undefined;
}
