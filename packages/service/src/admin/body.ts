import type { IncomingMessage } from 'node:http';
import { AdminError } from './errors.ts';

/** Whether a body follows the headers (RFC 9112 section 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** Whether the client waits with its body until it is told to go on. */
export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect?.toLowerCase() === '100-continue';
}

/**
 * The JSON of a request, or undefined when it has no body.
 * @param goOn asks a client that waits for it to send its body; called after the headers were judged.
 * @throws AdminError body_too_large as soon as the length or the bytes so far pass `max`; unsupported_media_type for
 * anything but application/json, which a form of another web site can't send; bad_request for broken JSON.
 */
export async function readJson(request: IncomingMessage, max: number, goOn: () => void): Promise<unknown> {
  if (!hasBody(request)) return undefined;
  const length = request.headers['content-length'];
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new AdminError('unsupported_media_type', 'send the body as content-type: application/json');
  }
  if (length !== undefined && Number(length) > max) throw tooLarge(max);

  if (expectsContinue(request)) goOn();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > max) throw tooLarge(max);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw new AdminError('bad_request', 'the body is not valid JSON in UTF-8');
  }
}

function tooLarge(max: number): AdminError {
  return new AdminError('body_too_large', `the body is larger than ${max} bytes`);
}
