/** `rookery-bus ingest`: NDJSON or lines by POST, a batch a request, answered when all of it is kept. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isGroupName } from '@rookery/protocol/websocket';
import {
  type Address,
  closeServer,
  formatAddress,
  isLoopback,
  listenTcp,
  ServiceError,
} from '@rookery/service';
import { type Publisher, SpoolError } from '../../spool/index.ts';
import { LineSplitter } from '../lines.ts';
import type { Tally } from '../tally.ts';

export interface IngestOptions {
  readonly listen: Address;
  /** Shown as `Authorization: Bearer …`. Beyond loopback there must be one. */
  readonly token: string | undefined;
  /** Groups that may be posted to; none for all. */
  readonly groups: readonly string[];
  /** Of the spool: a batch that doesn't fit is refused as a whole. */
  readonly spoolBytes: number;
}

/** A batch of some thousand events; and several at a time fit into the spool's backlog. */
const BATCH_BYTES = 1024 * 1024;
/** Programs of this host that post, and keep their connection. 64 MiB of batches at most. */
const CONNECTIONS_MAX = 64;
const REQUEST_MS = 10_000;
/** What the spool adds to an event, so that a batch of empty lines isn't free. */
const EVENT_OVERHEAD_BYTES = 128;

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Ingest {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws ServiceError `USAGE` without a token beyond loopback; `LISTEN_FAILED` */
export async function startIngest(
  options: IngestOptions,
  publisher: Publisher,
  tally: Tally,
): Promise<Ingest> {
  const { listen, token } = options;
  if (token === undefined && !isLoopback(listen.host)) {
    throw new ServiceError(
      'USAGE',
      'beyond loopback give --ingest-token-file: whoever reaches the port may publish',
    );
  }
  /** Of batches that are being written: two that fit, each by itself, may not fit together. */
  const under = { bytes: 0 };
  const server: Server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
    (request, response) => {
      answer(request, response, options, publisher, tally, under).catch((error: unknown) =>
        refuse(response, error),
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await listenTcp(server, 'ingest', listen.host, listen.port);
  const { port } = server.address() as { port: number };
  return {
    url: `http://${formatAddress({ host: listen.host, port })}`,
    async close() {
      server.closeIdleConnections();
      await closeServer(server);
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: IngestOptions,
  publisher: Publisher,
  tally: Tally,
  under: { bytes: number },
): Promise<void> {
  const group = authorized(request, options);
  const json = isJson(request);
  const lines = linesOf(await bodyOf(request), json);
  const bytes = lines.reduce((sum, line) => sum + line.length + EVENT_OVERHEAD_BYTES, 0);
  if (publisher.waitingBytes + under.bytes + bytes > options.spoolBytes) throw full();
  under.bytes += bytes;
  const results = await Promise.allSettled(lines.map((line) => publisher.publish(group, line)));
  under.bytes -= bytes;
  tally.add('published', results.filter(({ status }) => status === 'fulfilled').length);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  send(response, 200, { accepted: lines.length });
}

/** The group that may be posted to. */
function authorized(request: IncomingMessage, { token, groups }: IngestOptions): string {
  const match = /^\/groups\/([^/?]+)$/.exec(request.url ?? '');
  if (match === null) throw new Refusal(404, 'not_found', 'post to /groups/NAME');
  if (request.method !== 'POST') throw new Refusal(405, 'method_not_allowed', 'post to /groups/NAME');
  if (token !== undefined) {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined || !timingSafeEqual(hash(given), hash(token))) {
      throw new Refusal(401, 'unauthorized', 'send the token: Authorization: Bearer <token>');
    }
  } else if (request.headers.origin !== undefined) {
    throw new Refusal(403, 'forbidden', 'web pages may post only with a token');
  }
  const group = decodedName(match[1]!);
  if (group === undefined || !isGroupName(group)) {
    throw new Refusal(400, 'bad_group', 'a group has 1 to 31 characters of 0x24 to 0x7e');
  }
  if (groups.length > 0 && !groups.includes(group)) {
    throw new Refusal(403, 'forbidden', `nothing may be posted to ${group} here`);
  }
  return group;
}

function decodedName(escaped: string): string | undefined {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}

function isJson(request: IncomingMessage): boolean {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (['application/x-ndjson', 'application/ndjson', 'application/jsonl'].includes(type)) return true;
  if (type === 'text/plain') return false;
  throw new Refusal(
    415,
    'unsupported_media_type',
    'content-type: application/x-ndjson for events, text/plain for lines',
  );
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BATCH_BYTES)
      throw new Refusal(413, 'batch_too_large', `a batch has at most ${BATCH_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** All lines or none: who posts sends the batch again when it is put right. */
function linesOf(body: Buffer, json: boolean): Buffer[] {
  const splitter = new LineSplitter(BATCH_BYTES);
  const lines = splitter.push(body);
  const last = splitter.end();
  if (last !== undefined) lines.push(last);
  const found = lines.map(({ bytes }) => bytes);
  if (json) {
    for (const [index, line] of found.entries()) {
      if (line.length > 0 && !isJsonText(line)) {
        throw new Refusal(400, 'bad_json', `line ${index + 1} is no JSON; nothing of the batch was taken`);
      }
    }
  }
  return found.filter((line) => line.length > 0);
}

const strict = new TextDecoder('utf-8', { fatal: true });

function isJsonText(line: Buffer): boolean {
  try {
    JSON.parse(strict.decode(line));
    return true;
  } catch {
    return false;
  }
}

function full(): Refusal {
  return new Refusal(503, 'spool_full', 'the spool is full: send the batch again later');
}

function refuse(response: ServerResponse, error: unknown): void {
  const refusal =
    error instanceof Refusal
      ? error
      : error instanceof SpoolError && error.code === 'SPOOL_FULL'
        ? full()
        : new Refusal(500, 'failed', error instanceof Error ? error.message : 'it failed');
  // What of the body was not read would be taken for the next request.
  response.setHeader('connection', 'close');
  if (refusal.status === 503) response.setHeader('retry-after', '1');
  send(response, refusal.status, { error: { code: refusal.code, message: refusal.message } });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(`${JSON.stringify(body)}\n`);
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
