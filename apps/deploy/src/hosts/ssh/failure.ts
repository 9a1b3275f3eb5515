import { HostError, type HostErrorCode } from '../../host/errors.ts';

/** OpenSSH's exit code for what failed on the way; any other is the remote command's. */
const SSH_FAILED = 255;

/** What OpenSSH says, and what it means. The first that is found counts: a changed key ends in the words of an unknown one. */
const MEANINGS: readonly {
  readonly code: HostErrorCode;
  readonly pattern: RegExp;
  readonly advice: string;
}[] = [
  {
    code: 'host-key-changed',
    pattern: /HOST IDENTIFICATION HAS CHANGED|POSSIBLE DNS SPOOFING|key .*revoked|REVOKED/,
    advice:
      'its key is not the one that is known for it: find out why; if it is right, remove the old one with ssh-keygen -R',
  },
  {
    code: 'host-key-unknown',
    pattern: /Host key verification failed|No .* host key is known|authenticity of host/,
    advice: 'its key is not known here: connect once with ssh and compare it, or put it into known_hosts',
  },
  {
    code: 'not-allowed',
    pattern:
      /Permission denied|Too many authentication failures|administratively prohibited|not currently available|UNPROTECTED PRIVATE KEY/,
    advice: 'it does not let this user in with the keys that ssh has here',
  },
];

/** Why ssh ended before the host's side was there. Pure. */
export function sshFailure(address: string, exitCode: number | null, stderr: string): HostError {
  const text = stderr.trim();
  const said = text.split('\n').at(-1)?.trim() ?? '';
  for (const { code, pattern, advice } of MEANINGS) {
    if (!pattern.test(text)) continue;
    return new HostError(code, `${address}: ${advice} (${detail(code, text) ?? said})`, { output: text });
  }
  if (exitCode === SSH_FAILED || exitCode === null) {
    return new HostError('unreachable', `${address}: ${said === '' ? 'ssh was ended' : said}`, {
      output: text,
    });
  }
  const why = said === '' ? '' : `: ${said}`;
  return new HostError(
    'host-unprepared',
    `${address}: its login shell did not start /bin/sh (exit code ${exitCode}${why})`,
    { output: text },
  );
}

/** Which key came, and where the other one stands. */
function detail(code: HostErrorCode, text: string): string | undefined {
  if (code !== 'host-key-changed') return undefined;
  const sent = /SHA256:[A-Za-z0-9+/]+/.exec(text)?.[0];
  const known = /Offending .* key in (\S+:\d+)/.exec(text)?.[1];
  return sent === undefined || known === undefined ? undefined : `it sent ${sent}, known is ${known}`;
}
