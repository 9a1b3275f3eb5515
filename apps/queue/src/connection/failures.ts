import type { ErrorCode } from '@rookery/protocol/memcache';
import { AccessError } from '../access/errors.ts';
import { BrokerError, type BrokerErrorCode } from '../broker/errors.ts';
import type { Dialect } from '../dialect.ts';
import { StoreError, type StoreErrorCode } from '../store/store.ts';

/** How a refusal looks: its line on the text and meta wires, its status on the binary one. */
export interface Failure {
  readonly line: string;
  readonly code: ErrorCode;
  /** The connection ends after it. */
  readonly close: boolean;
}

const storeFailures: Record<StoreErrorCode, Failure> = {
  'store-full': {
    line: 'SERVER_ERROR out of disk space: reads go on, writes resume when there is room',
    code: 'out_of_memory',
    close: false,
  },
  'store-busy': { line: 'SERVER_ERROR busy: the disk is behind, try again', code: 'busy', close: false },
  'store-failed': { line: 'SERVER_ERROR storage failed', code: 'internal', close: true },
  'store-closed': { line: 'SERVER_ERROR shutting down', code: 'temporary', close: true },
  'store-read-failed': {
    line: 'SERVER_ERROR the message could not be read',
    code: 'temporary',
    close: false,
  },
  'store-locked': { line: 'SERVER_ERROR storage failed', code: 'internal', close: true },
  'body-too-large': {
    line: 'SERVER_ERROR object too large for cache',
    code: 'body_too_large',
    close: false,
  },
  'queue-exists': { line: 'SERVER_ERROR storage failed', code: 'internal', close: false },
  'name-too-long': { line: 'CLIENT_ERROR the name is too long', code: 'bad_key', close: false },
  'queue-removed': { line: 'SERVER_ERROR the queue was deleted', code: 'temporary', close: false },
};

const brokerFailures: Record<BrokerErrorCode, { readonly word: string; readonly code: ErrorCode }> = {
  'bad-name': { word: 'CLIENT_ERROR', code: 'bad_key' },
  'bad-options': { word: 'CLIENT_ERROR', code: 'bad_key' },
  'bad-setting': { word: 'CLIENT_ERROR', code: 'bad_line' },
  'too-many-queues': { word: 'SERVER_ERROR', code: 'out_of_memory' },
  'too-many-open-reads': { word: 'SERVER_ERROR', code: 'busy' },
  'too-many-waits': { word: 'SERVER_ERROR', code: 'busy' },
  'read-is-open': { word: 'SERVER_ERROR', code: 'busy' },
  'rate-limited': { word: 'SERVER_ERROR', code: 'rate_limited' },
  'too-many-connections': { word: 'SERVER_ERROR', code: 'busy' },
  'reads-blocked': { word: 'SERVER_ERROR', code: 'temporary' },
  'writes-blocked': { word: 'SERVER_ERROR', code: 'temporary' },
};

/** Anything else is a bug of ours, and is thrown on. */
export function failureOf(error: unknown, dialect: Dialect): Failure {
  if (error instanceof StoreError) return storeFailures[error.code];
  if (error instanceof AccessError) {
    return {
      line: `CLIENT_ERROR forbidden: ${error.message}`,
      code: 'forbidden',
      close: dialect.errorsClose,
    };
  }
  if (!(error instanceof BrokerError)) throw error;
  const { word, code } = brokerFailures[error.code];
  // Kestrel says no more than this when a connection holds too much open.
  const bare = dialect.strictReads && (error.code === 'too-many-open-reads' || error.code === 'read-is-open');
  return { line: bare ? 'ERROR' : `${word} ${error.message}`, code, close: dialect.errorsClose };
}
