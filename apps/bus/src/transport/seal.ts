/** Seals: what makes a datagram whole and from somebody who knows the secret. docs/internals/bus.md, "Transport". */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import {
  counterOf,
  ENVELOPE_HEADER_BYTES,
  type EnvelopeKind,
  INSTANCE_AT,
  INSTANCE_BYTES,
  putEnvelope,
  SEAL_BYTES,
  SealCode,
} from '@rookery/protocol/bus';

/** What one instance sends. The datagram is the caller's. */
export type Sealer = (kind: EnvelopeKind, counter: number, body: Uint8Array) => Buffer;
/** The body of a datagram of one instance, or undefined if its seal is not right. It may lie in the datagram. */
export type Opener = (datagram: Buffer) => Buffer | undefined;

export interface Seals {
  readonly code: SealCode;
  /** What header and seal add to a body. */
  readonly overheadBytes: number;
  sealer(instance: Buffer): Sealer;
  /** For the instance that the datagram names. Costs an HMAC: keep it. */
  opener(datagram: Buffer): Opener;
}

const NONCE_BYTES = 12;
const CIPHER = 'aes-256-gcm';

/** @param secret none: datagrams without seals */
export function createSeals(secret: Buffer | undefined, encrypt: boolean): Seals {
  if (secret === undefined) return plainSeals;
  // Keys of their own, so that no tag of one kind says anything about the other.
  const use = encrypt ? CIPHER : 'hmac-sha256';
  const root = createSecretKey(
    Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `rookery-bus 1 ${use}`, 32)),
  );
  const keyOf = (instance: Uint8Array): KeyObject =>
    createSecretKey(createHmac('sha256', root).update(instance).digest());
  const [sealerFor, openerFor] = encrypt ? [gcmSealer, gcmOpener] : [hmacSealer, hmacOpener];
  return {
    code: encrypt ? SealCode.gcm : SealCode.hmac,
    overheadBytes: ENVELOPE_HEADER_BYTES + SEAL_BYTES,
    sealer: (instance) => sealerFor(instance, keyOf(instance)),
    opener: (datagram) => openerFor(keyOf(datagram.subarray(INSTANCE_AT, INSTANCE_AT + INSTANCE_BYTES))),
  };
}

const plainSeals: Seals = {
  code: SealCode.none,
  overheadBytes: ENVELOPE_HEADER_BYTES,
  sealer: (instance) => (kind, counter, body) => {
    const datagram = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES + body.length);
    putEnvelope(datagram, SealCode.none, kind, instance, counter);
    datagram.set(body, ENVELOPE_HEADER_BYTES);
    return datagram;
  },
  opener: () => (datagram) => datagram.subarray(ENVELOPE_HEADER_BYTES),
};

// hot: once per datagram, in each direction.
function hmacSealer(instance: Buffer, key: KeyObject): Sealer {
  return (kind, counter, body) => {
    const end = ENVELOPE_HEADER_BYTES + body.length;
    const datagram = Buffer.allocUnsafe(end + SEAL_BYTES);
    putEnvelope(datagram, SealCode.hmac, kind, instance, counter);
    datagram.set(body, ENVELOPE_HEADER_BYTES);
    createHmac('sha256', key).update(datagram.subarray(0, end)).digest().copy(datagram, end, 0, SEAL_BYTES);
    return datagram;
  };
}

function hmacOpener(key: KeyObject): Opener {
  return (datagram) => {
    const end = datagram.length - SEAL_BYTES;
    if (end < ENVELOPE_HEADER_BYTES) return undefined;
    const seal = createHmac('sha256', key).update(datagram.subarray(0, end)).digest();
    if (!timingSafeEqual(seal.subarray(0, SEAL_BYTES), datagram.subarray(end))) return undefined;
    return datagram.subarray(ENVELOPE_HEADER_BYTES, end);
  };
}

function gcmSealer(instance: Buffer, key: KeyObject): Sealer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  return (kind, counter, body) => {
    const end = ENVELOPE_HEADER_BYTES + body.length;
    const datagram = Buffer.allocUnsafe(end + SEAL_BYTES);
    putEnvelope(datagram, SealCode.gcm, kind, instance, counter);
    // Once per key, because the key is the instance's and the counter never stands still.
    nonce.writeUIntLE(counter, 0, 6);
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: SEAL_BYTES });
    cipher.setAAD(datagram.subarray(0, ENVELOPE_HEADER_BYTES));
    cipher.update(body).copy(datagram, ENVELOPE_HEADER_BYTES);
    cipher.final();
    cipher.getAuthTag().copy(datagram, end);
    return datagram;
  };
}

function gcmOpener(key: KeyObject): Opener {
  const nonce = Buffer.alloc(NONCE_BYTES);
  return (datagram) => {
    const end = datagram.length - SEAL_BYTES;
    if (end < ENVELOPE_HEADER_BYTES) return undefined;
    nonce.writeUIntLE(counterOf(datagram), 0, 6);
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: SEAL_BYTES });
    decipher.setAAD(datagram.subarray(0, ENVELOPE_HEADER_BYTES));
    decipher.setAuthTag(datagram.subarray(end));
    const body = decipher.update(datagram.subarray(ENVELOPE_HEADER_BYTES, end));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return body;
  };
}
