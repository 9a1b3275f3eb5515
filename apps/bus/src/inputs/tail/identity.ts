/** Which file it is, whatever its name: a device and an inode, and its first bytes, since inodes are used again. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Enough for a line or more; log lines begin with a time. */
export const HEAD_BYTES = 1024;

export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
  /** So many first bytes have this hash. A file that was empty has none, and is another one to everybody. */
  readonly headBytes: number;
  readonly head: string;
}

export async function identityOf(file: FileHandle, upTo: number): Promise<FileIdentity> {
  const { dev, ino } = await file.stat({ bigint: true });
  const wanted = Math.min(HEAD_BYTES, upTo);
  const head = await headOf(file, wanted);
  return { device: String(dev), inode: String(ino), headBytes: wanted, head };
}

/** Whether the file at hand is that one, grown or not. */
export async function isSame(file: FileHandle, identity: FileIdentity): Promise<boolean> {
  const { dev, ino, size } = await file.stat({ bigint: true });
  if (String(dev) !== identity.device || String(ino) !== identity.inode) return false;
  return Number(size) >= identity.headBytes && (await headOf(file, identity.headBytes)) === identity.head;
}

async function headOf(file: FileHandle, bytes: number): Promise<string> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, 0);
  return createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('base64url').slice(0, 22);
}
