import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { ReleaseError } from '../errors.ts';

/** A private key that signs releases. From `parseSigningKey`. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly publicKey: PublicKey;
}

/** A key that a release's signature is checked against. From `parsePublicKey`. */
export interface PublicKey {
  /** The 32 bytes in base64. */
  readonly text: string;
}

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** RFC 8410: the SPKI of an Ed25519 key is this and its 32 bytes. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** Keeps signatures of releases apart from anything else that the key may ever sign. */
const DOMAIN = 'rookery release v1\n';

/** A new key pair: PKCS #8 and SPKI in PEM, as openssl reads and writes them. */
export function generateKeys(): { readonly privatePem: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** @throws ReleaseError `key-invalid` */
export function parseSigningKey(pem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new ReleaseError(
      'key-invalid',
      'This is no private key: give the file that keygen wrote, without .pub.',
      { cause },
    );
  }
  if (key.asymmetricKeyType !== 'ed25519') throw notEd25519();
  return { key, publicKey: publicKeyOf(createPublicKey(key)) };
}

/** @throws ReleaseError `key-invalid` */
export function parsePublicKey(pem: string): PublicKey {
  // Node makes a public key of a private one; but a host that is given the private key has been given too much.
  if (pem.includes('PRIVATE KEY')) {
    throw new ReleaseError(
      'key-invalid',
      'This is a private key: give the .pub file, and keep this one off the hosts.',
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new ReleaseError('key-invalid', 'This is no public key: give the .pub file that keygen wrote.', {
      cause,
    });
  }
  return publicKeyOf(key);
}

export function publicKeyBytes(key: PublicKey): Buffer {
  return Buffer.from(key.text, 'base64');
}

export function publicKeyFromBytes(bytes: Uint8Array): PublicKey {
  return { text: Buffer.from(bytes).toString('base64') };
}

/** SHA-256 of the body: the release's identity. */
export function releaseId(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest();
}

export function signRelease(id: Uint8Array, key: SigningKey): Buffer {
  return sign(null, message(id), key.key);
}

export function signatureHolds(id: Uint8Array, signature: Uint8Array, key: PublicKey): boolean {
  try {
    const spki = Buffer.concat([SPKI_PREFIX, publicKeyBytes(key)]);
    return verify(null, message(id), createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
  } catch {
    // Thirty-two bytes that are no point of the curve.
    return false;
  }
}

function message(id: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(DOMAIN), id]);
}

/** @throws ReleaseError `key-invalid`: it is no Ed25519 key */
export function publicKeyOf(key: KeyObject): PublicKey {
  if (key.asymmetricKeyType !== 'ed25519') throw notEd25519();
  return publicKeyFromBytes(key.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length));
}

function notEd25519(): ReleaseError {
  return new ReleaseError('key-invalid', 'This key is not an Ed25519 key: make one with keygen.');
}
