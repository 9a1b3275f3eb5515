/** A daemon's answers to a client's first words: methods to choose from (3.16 on), and whether it's let in. */
import type { ByteSource } from '../../bytes/source.ts';
import { type BadReplyReason, ResultCode } from '../errors.ts';
import type { Accepted, Methods, Refused, Version } from '../frames.ts';
import { METHOD_LIST_BYTES } from '../limits.ts';
import { parsePrivateGroup } from '../names.ts';
import { atLeast, CHOOSES_METHOD, OLDEST_DAEMON_MAJOR, SENDS_PATCH } from '../versions.ts';

const At = { length: 0, methods: 1, answer: 2, version: 3, group: 4, done: 5 } as const;

export class ReplyHandshakeDecoder {
  readonly #source: ByteSource;
  /** Major, minor, patch if this client's version has it told, and the length of the private group. */
  readonly #versionBytes: number;
  #state: number;
  #length = 0;
  #version: Version = { major: 0, minor: 0, patch: 0 };

  constructor(source: ByteSource, client: Version) {
    this.#source = source;
    this.#versionBytes = atLeast(client.major, client.minor, SENDS_PATCH) ? 4 : 3;
    this.#state = atLeast(client.major, client.minor, CHOOSES_METHOD) ? At.length : At.answer;
  }

  get done(): boolean {
    return this.#state === At.done;
  }

  next(): Methods | Accepted | Refused | BadReplyReason | undefined {
    const source = this.#source;
    for (;;) {
      switch (this.#state) {
        case At.length:
          if (!source.run(1)) return undefined;
          this.#length = source.found.readInt8(source.start);
          if (this.#length < 0) return { kind: 'refused', code: this.#length };
          if (this.#length > METHOD_LIST_BYTES) return 'bad_methods';
          this.#state = At.methods;
          break;
        case At.methods: {
          if (!source.run(this.#length)) return undefined;
          this.#state = At.answer;
          const list = source.found.toString('latin1', source.start, source.stop);
          return { kind: 'methods', methods: list.split(' ').filter((method) => method !== '') };
        }
        case At.answer: {
          if (!source.run(1)) return undefined;
          const code = source.found.readInt8(source.start);
          if (code !== ResultCode.acceptSession) return { kind: 'refused', code };
          this.#state = At.version;
          break;
        }
        case At.version: {
          const count = this.#versionBytes;
          if (!source.run(count)) return undefined;
          const { found, start } = source;
          this.#version = {
            major: found[start]!,
            minor: found[start + 1]!,
            patch: count === 4 ? found[start + 2]! : 0,
          };
          this.#length = found[start + count - 1]!;
          const { major } = this.#version;
          if (major < OLDEST_DAEMON_MAJOR || major > 0x7f) return 'version';
          if (this.#length > 31) return 'bad_private_group';
          this.#state = At.group;
          break;
        }
        case At.group: {
          if (!source.run(this.#length)) return undefined;
          const privateGroup = source.found.toString('latin1', source.start, source.stop);
          if (parsePrivateGroup(privateGroup) === undefined) return 'bad_private_group';
          this.#state = At.done;
          return { kind: 'accepted', version: this.#version, privateGroup };
        }
        default:
          return undefined;
      }
    }
  }
}
