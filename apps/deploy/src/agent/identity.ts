import { constants, sign } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { type PublicKey, publicKeyOf, type SigningKey } from '../release/keys.ts';

/** Who a coordinator or an agent is to the other: an Ed25519 key. The certificate only carries it through TLS. */
export interface Identity {
  readonly publicKey: PublicKey;
  /** For `tls.connect` and `tls.createServer`, on both ends the same. */
  readonly tls: SecureContextOptions & {
    readonly ALPNProtocols: string[];
    readonly rejectUnauthorized: false;
  };
}

const PROTOCOL = 'rookery-agent/1';

/**
 * Nobody but the two ends vouches for a key, so the chain is not looked at: each end compares the key with those that
 * it was told. That the peer has the private half is proved by TLS itself, by a signature of this handshake and its
 * random numbers (RFC 8446, 4.4.3): bytes that were recorded are of another handshake, and say nothing in this one.
 * There are no tickets, so no session is resumed, and Node has no 0-RTT, whose data could be replayed.
 */
export function createIdentity(key: SigningKey): Identity {
  return {
    publicKey: key.publicKey,
    tls: {
      key: key.key.export({ type: 'pkcs8', format: 'pem' }),
      cert: certificateOf(key),
      minVersion: 'TLSv1.3',
      secureOptions: constants.SSL_OP_NO_TICKET,
      ALPNProtocols: [PROTOCOL],
      rejectUnauthorized: false,
    },
  };
}

/** The key that the other end has proved to have; undefined when it has shown none, or one of another kind. */
export function peerKey(socket: TLSSocket): PublicKey | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || socket.isSessionReused()) return undefined;
  try {
    return publicKeyOf(certificate.publicKey);
  } catch {
    return undefined;
  }
}

/** OIDs in DER: Ed25519 (RFC 8410) and commonName. */
const ED25519 = der(0x30, Buffer.from('06032b6570', 'hex'));
const COMMON_NAME = Buffer.from('0603550403', 'hex');
/** RFC 5280, 4.1.2.5: the last is "no well-defined expiration". What ends a key is that it isn't trusted any more. */
const VALIDITY = der(0x30, der(0x18, '20000101000000Z'), der(0x18, '99991231235959Z'));

/** A certificate of X.509 v1 that says nothing but the key, signed by itself. */
function certificateOf({ key, publicKey }: SigningKey): string {
  const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.concat([Buffer.of(0), bytes]));
  const name = der(0x30, der(0x31, der(0x30, COMMON_NAME, der(0x0c, 'rookery-deploy'))));
  const spki = der(0x30, ED25519, bits(Buffer.from(publicKey.text, 'base64')));
  const serial = der(0x02, Buffer.of(1));
  const body = der(0x30, serial, ED25519, name, VALIDITY, name, spki);
  const bytes = der(0x30, body, ED25519, bits(sign(null, body, key)));
  const lines = bytes.toString('base64').match(/.{1,64}/g)!;
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function der(tag: number, ...contents: (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part as string)));
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}
