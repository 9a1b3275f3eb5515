import type { Socket } from 'node:net';
import { ADMIN_STATUS, type AdminError, type AdminErrorCode } from './errors.ts';

/** What is sent for one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
}

/** An answer with a status of its own, made by `reply`. */
export class AdminReply {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

/** For a handler that answers with another status than 200: `return reply(202, { started: true })`. */
export function reply(status: number, body?: unknown): AdminReply {
  return new AdminReply(status, body);
}

/** JSON with its status; undefined has no body, and 200 becomes 204. */
export function json(status: number, value: unknown): Answer {
  if (value === undefined) {
    const empty = status === 200 || status === 204;
    return { status: empty ? 204 : status, headers: {}, body: empty ? undefined : Buffer.alloc(0) };
  }
  const text = `${JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? safeNumber(one) : one))}\n`;
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: Buffer.from(text) };
}

/** A counter past 2^53 goes as text, because a JSON number would come out as another one. */
function safeNumber(value: bigint): number | string {
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : String(value);
}

export function errorAnswer(error: AdminError): Answer {
  return json(error.status, { error: { code: error.code, message: error.message } });
}

/** Answers what is no HTTP request, in the same form as any other error. */
export function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, message]: [AdminErrorCode, string] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['headers_too_large', 'the request line and headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['request_timeout', 'the request did not arrive in time']
        : ['bad_request', 'this is not an HTTP request'];
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  socket.end(
    `HTTP/1.1 ${ADMIN_STATUS[code]} ${code}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
