import { boolean, durationMs, integer, isLoopback, type Setting, setting, text } from '@rookery/service';

export interface AccessSettings {
  readonly authFile: Setting<string | undefined>;
  readonly authTimeoutMs: Setting<number>;
  readonly authTries: Setting<number>;
  readonly tlsCertificate: Setting<string | undefined>;
  readonly tlsKey: Setting<string | undefined>;
  readonly tlsClientCa: Setting<string | undefined>;
  readonly insecureListen: Setting<boolean>;
}

export const accessSettings: AccessSettings = {
  authFile: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description:
      'File of users, hashes of their tokens, and rights; nobody else gets in (rookery-queue token)',
    reason: 'Loopback needs none.',
  }),
  authTimeoutMs: setting({
    schema: durationMs({ min: 100, max: 600_000 }),
    default: 10_000,
    description: 'A connection that has not said who it is by then ends',
    reason: 'Strangers hold no connections that users need.',
    unit: 'ms',
  }),
  authTries: setting({
    schema: integer({ min: 1, max: 100 }),
    default: 3,
    description: 'Wrong tokens that a connection may show before it ends',
    reason: 'A program has its token or has not; each try is counted and logged.',
  }),
  tlsCertificate: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description:
      'Certificate (PEM, with the chain behind it): the port speaks TLS, 1.2 and later, and nothing else',
    reason: 'Loopback needs none.',
  }),
  tlsKey: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description: 'Private key (PEM) of the certificate',
    reason: 'Loopback needs none.',
  }),
  tlsClientCa: setting<string | undefined>({
    schema: text().optional(),
    default: undefined,
    description:
      'Certificates (PEM) of those who sign clients’ certificates; who has none of theirs gets no connection',
    reason: 'A token says who it is; this one is for who wants both.',
  }),
  insecureListen: setting({
    schema: boolean(),
    default: false,
    description:
      'Let other machines in without authentication, or without TLS: whoever reaches the port can read, or listen to, everything',
    reason: 'To be said in so many words.',
  }),
};

export interface Exposure {
  readonly host: string;
  readonly authFile: string | undefined;
  readonly tlsCertificate: string | undefined;
  readonly tlsKey: string | undefined;
  readonly tlsClientCa: string | undefined;
  readonly insecureListen: boolean;
}

/** What stands against listening so, in sentences. */
export function exposureProblems(settings: Exposure): string[] {
  const { host, authFile, tlsCertificate, tlsKey, tlsClientCa, insecureListen } = settings;
  const problems: string[] = [];
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) {
    problems.push('tls_certificate and tls_key go together');
  }
  if (tlsClientCa !== undefined && tlsCertificate === undefined) {
    problems.push('tls_client_ca needs tls_certificate and tls_key');
  }
  const missing = [
    ...(authFile === undefined ? ['auth_file'] : []),
    ...(tlsCertificate === undefined ? ['tls_certificate and tls_key'] : []),
  ];
  if (!isLoopback(host) && missing.length > 0 && !insecureListen) {
    problems.push(
      `host ${host} is open to other machines: set ${missing.join(', and ')}, or listen on 127.0.0.1, or say insecure_listen`,
    );
  }
  return problems;
}
