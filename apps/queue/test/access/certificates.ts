import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

const openssl = promisify(execFile);

/** A certificate for 127.0.0.1 and localhost that is its own authority, as files of this folder. */
export async function makeCertificate(folder: string, name = 'server'): Promise<Certificate> {
  const certificate = join(folder, `${name}.crt`);
  const key = join(folder, `${name}.key`);
  await openssl('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', key, '-out', certificate],
  ]);
  return { certificate, key };
}
