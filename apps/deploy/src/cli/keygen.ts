import { rm } from 'node:fs/promises';
import { generateKeys, parsePublicKey } from '../release/keys.ts';
import { writeNew } from './files.ts';
import type { Reporter } from './report.ts';

/**
 * Writes a new key pair: PATH for whoever packs, PATH.pub for the hosts.
 * @throws ReleaseError `key-exists`, `write-failed`
 */
export async function keygen(path: string, reporter: Reporter): Promise<void> {
  const { privatePem, publicPem } = generateKeys();
  const publicPath = `${path}.pub`;
  await writeNew(path, privatePem, 0o600);
  try {
    await writeNew(publicPath, publicPem, 0o644);
  } catch (error) {
    await rm(path);
    throw error;
  }
  const signer = parsePublicKey(publicPem).text;
  reporter.event('keys', { private_key_file: path, public_key_file: publicPath, signer });
  reporter.say(`${path} signs releases: keep it secret.\n${publicPath} goes to the hosts (${signer}).\n`);
}
