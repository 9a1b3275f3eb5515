import { ReleaseError } from '../errors.ts';
import { decodeBody, encodeBody } from './body.ts';
import {
  PUBLIC_KEY_BYTES,
  type PublicKey,
  publicKeyBytes,
  publicKeyFromBytes,
  releaseId,
  SIGNATURE_BYTES,
  type SigningKey,
  signatureHolds,
  signRelease,
} from './keys.ts';
import { RELEASE_LIMITS, type ReleaseLimits } from './limits.ts';
import type { Manifest } from './manifest.ts';
import { checkEntries, checkName } from './rules.ts';
import { infoHash, torrentInfo } from './torrent.ts';

const MAGIC = Buffer.from('ROOKREL\n');
const VERSION = 1;
const OFFSET = { version: 8, signed: 9, bodyLength: 10, publicKey: 16, signature: 48, body: 112 } as const;

/** What a release file says, once its grammar, its limits and its rules are checked. */
export interface Release {
  /** SHA-256 of the body, hexadecimal: tells releases apart. */
  readonly id: string;
  readonly manifest: Manifest;
  /** The torrent's info dictionary, bencoded. */
  readonly info: Uint8Array;
  /** Hexadecimal. The same for every release of the same tree. */
  readonly infoHash: string;
  /** Whose signature it bears; absent when nobody's. */
  readonly signer?: PublicKey;
}

/** The bytes of a release file; without a key it is not signed, and no host will take it. */
export function encodeRelease(manifest: Manifest, key?: SigningKey): Buffer {
  const body = encodeBody(manifest);
  const header = Buffer.alloc(OFFSET.body);
  MAGIC.copy(header);
  header[OFFSET.version] = VERSION;
  header.writeUIntLE(body.length, OFFSET.bodyLength, 6);
  if (key !== undefined) {
    header[OFFSET.signed] = 1;
    publicKeyBytes(key.publicKey).copy(header, OFFSET.publicKey);
    signRelease(releaseId(body), key).copy(header, OFFSET.signature);
  }
  return Buffer.concat([header, body]);
}

/**
 * Reads a release that one of the trusted keys must have signed. Nothing of it is parsed before that is sure.
 * @throws ReleaseError: what is wrong with it
 */
export function openRelease(
  bytes: Uint8Array,
  trust: readonly PublicKey[],
  limits: ReleaseLimits = RELEASE_LIMITS,
): Release {
  const file = readHeader(bytes, limits);
  if (file.signer === undefined) {
    throw new ReleaseError('release-unsigned', 'The release is not signed: pack it with --key.');
  }
  const { signer } = file;
  if (!trust.some((key) => key.text === signer.text)) {
    throw new ReleaseError(
      'key-untrusted',
      `The release is signed with the key ${signer.text}, which is not trusted here.`,
    );
  }
  return read(file, limits);
}

/**
 * Reads a release without asking who made it, for looking at. Its signature, if it has one, must be that of the key
 * that it names. Never build a tree from what this returns.
 * @throws ReleaseError: what is wrong with it
 */
export function inspectRelease(bytes: Uint8Array, limits: ReleaseLimits = RELEASE_LIMITS): Release {
  return read(readHeader(bytes, limits), limits);
}

interface ReleaseFile {
  readonly signer: PublicKey | undefined;
  readonly signature: Buffer;
  readonly body: Buffer;
}

function readHeader(input: Uint8Array, limits: ReleaseLimits): ReleaseFile {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  if (bytes.length > limits.releaseBytes) {
    throw new ReleaseError(
      'release-too-large',
      `The release file is larger than ${limits.releaseBytes} bytes.`,
    );
  }
  if (bytes.length < OFFSET.body || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ReleaseError('not-a-release', 'This is no release file: make one with pack.');
  }
  if (bytes[OFFSET.version] !== VERSION) {
    throw new ReleaseError(
      'release-version',
      `The release is of format ${bytes[OFFSET.version]}, and this program reads ${VERSION}: pack it again, or use another version of rookery-deploy.`,
    );
  }
  const body = bytes.subarray(OFFSET.body);
  const signed = bytes[OFFSET.signed]!;
  const publicKey = bytes.subarray(OFFSET.publicKey, OFFSET.publicKey + PUBLIC_KEY_BYTES);
  const signature = bytes.subarray(OFFSET.signature, OFFSET.signature + SIGNATURE_BYTES);
  const unsignedZeros = signed === 0 && isZero(publicKey) && isZero(signature);
  if ((signed !== 1 && !unsignedZeros) || body.length !== bytes.readUIntLE(OFFSET.bodyLength, 6)) {
    throw new ReleaseError(
      'release-damaged',
      'The release is damaged: its header is wrong, or it is cut off.',
    );
  }
  return { signer: signed === 1 ? publicKeyFromBytes(publicKey) : undefined, signature, body };
}

function read({ signer, signature, body }: ReleaseFile, limits: ReleaseLimits): Release {
  const id = releaseId(body);
  if (signer !== undefined && !signatureHolds(id, signature, signer)) {
    throw new ReleaseError('signature-wrong', 'The release was altered after it was signed.');
  }
  const manifest = decodeBody(body, limits);
  checkName('app', manifest.app);
  checkName('version', manifest.version);
  checkEntries(manifest.entries, limits);
  const info = torrentInfo(manifest);
  return {
    id: id.toString('hex'),
    manifest,
    info,
    infoHash: infoHash(info),
    ...(signer === undefined ? {} : { signer }),
  };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
