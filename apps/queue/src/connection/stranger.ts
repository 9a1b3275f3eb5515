import {
  type BadRequest,
  type BinaryRequest,
  isQuietOpcode,
  loudOpcode,
  Opcode,
  type Request,
  Status,
  writeBinaryOk,
  writeBinaryText,
  writeTextError,
  writeTextLine,
  writeTextStatus,
} from '@rookery/protocol/memcache';
import type { Access } from '../access/access.ts';
import type { Connection } from './connection.ts';
import { wireVersion } from './replies.ts';

// What a client may say before it has said who it is. Text: memcached's ASCII authentication, a `set` of any key whose
// body is `USER TOKEN` (memcached's doc/protocol.txt, "Authentication"). Binary: SASL PLAIN (RFC 4616). The strings and
// statuses are memcached's.

/** More than a user's name, a token, and what SASL puts around them. */
export const strangerLimits: { readonly body: number; readonly getLine: number } = {
  body: 1024,
  getLine: 2048,
};

const mechanism = 'PLAIN';

export function handleStranger(connection: Connection, request: Request, access: Access): void {
  if (request.wire === 'binary') handleBinary(connection, request, access);
  else if (request.wire === 'text' && request.kind === 'store' && request.verb === 'set') {
    const { buffer, start, end, noreply } = request;
    const [name, token, ...rest] = buffer.toString('latin1', start, end).trim().split(/ +/);
    const line =
      token === undefined || rest.length > 0
        ? 'CLIENT_ERROR bad authentication token format'
        : authenticated(connection, access, name!, token);
    if (line === undefined) {
      if (!noreply) writeTextStatus(connection.out, 'STORED');
    } else writeTextLine(connection.out, line);
  } else if (request.kind === 'line' && request.verb === 'version') {
    writeTextLine(connection.out, `VERSION ${wireVersion(connection.host.version)}`);
  } else if (request.kind === 'line' && request.verb === 'quit') connection.close();
  else {
    writeTextError(connection.out, 'unauthenticated');
    if (request.kind === 'bad' && request.fatal) connection.close();
  }
}

function handleBinary(connection: Connection, request: BinaryRequest | BadRequest, access: Access): void {
  const { out } = connection;
  const opcode = request.kind === 'bad' ? -1 : loudOpcode(request.opcode);
  if (request.kind === 'bad' || !sayable.has(opcode)) {
    writeBinaryText(out, request, 'Auth failure.', Status.authError);
    connection.close();
    return;
  }
  if (opcode === Opcode.version) writeBinaryText(out, request, wireVersion(connection.host.version));
  else if (opcode === Opcode.quit) {
    if (!isQuietOpcode(request.opcode)) writeBinaryOk(out, request);
    connection.close();
  } else handleSasl(connection, request, access);
}

const sayable: ReadonlySet<number> = new Set([
  Opcode.version,
  Opcode.quit,
  Opcode.saslList,
  Opcode.saslAuth,
  Opcode.saslStep,
]);

/** SASL's own commands; also of who is known already, and may become somebody else. */
export function handleSasl(connection: Connection, request: BinaryRequest, access: Access): void {
  const { out } = connection;
  if (request.opcode === Opcode.saslList) {
    writeBinaryText(out, request, mechanism);
    return;
  }
  if (request.key.toUpperCase() !== mechanism) {
    writeBinaryText(out, request, 'Auth failure.', Status.authError);
    return;
  }
  const answer = request.buffer.toString('latin1', request.start, request.end);
  // PLAIN's client speaks first; one that does not is asked to.
  if (answer === '' && request.opcode === Opcode.saslAuth) {
    writeBinaryText(out, request, '', Status.authContinue);
    return;
  }
  const [asWhom, name, token, ...rest] = answer.split('\0');
  const wellFormed = token !== undefined && rest.length === 0 && (asWhom === '' || asWhom === name);
  const refusal = wellFormed ? authenticated(connection, access, name!, token) : malformed;
  if (refusal === undefined) writeBinaryText(out, request, 'Authenticated');
  else if (refusal.startsWith('SERVER_ERROR ')) {
    writeBinaryText(out, request, refusal.slice('SERVER_ERROR '.length), Status.busy);
  } else writeBinaryText(out, request, 'Auth failure.', Status.authError);
}

const malformed = 'CLIENT_ERROR bad authentication token format';

/** Undefined when the client is in, else the line that tells why not; too many of these end the connection. */
function authenticated(
  connection: Connection,
  access: Access,
  name: string,
  token: string,
): string | undefined {
  const user = access.authenticate(name, token, connection.from);
  if (user !== undefined) return connection.welcome(user);
  connection.failures += 1;
  if (connection.failures >= access.triesMax) connection.close();
  return 'CLIENT_ERROR authentication failure';
}
