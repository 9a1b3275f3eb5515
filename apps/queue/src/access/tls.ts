import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServiceError } from '@rookery/service';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string | undefined;
}

/** What Node's TLS server is made of, read anew. @throws ServiceError `SETTING_INVALID` for files that don't fit */
export function readTls({ certificate, key, clientCa }: TlsFiles): SecureContextOptions {
  try {
    const context: SecureContextOptions = {
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ...(clientCa === undefined ? {} : { ca: readFileSync(clientCa) }),
      minVersion: 'TLSv1.2',
    };
    // Here, and not at the first client.
    createSecureContext(context);
    return context;
  } catch (error) {
    throw new ServiceError(
      'SETTING_INVALID',
      `the TLS files ${[certificate, key, clientCa].filter((name) => name !== undefined).join(', ')} can't be used: ${(error as Error).message}`,
      { cause: error },
    );
  }
}
