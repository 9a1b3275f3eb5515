import { LogError, type LogErrorCode } from '@rookery/storage';
import { StoreError, type StoreErrorCode } from './store.ts';

const codes: Record<LogErrorCode, StoreErrorCode> = {
  'log-locked': 'store-locked',
  'log-foreign': 'store-failed',
  'log-version': 'store-failed',
  'log-full': 'store-full',
  'log-busy': 'store-busy',
  'log-failed': 'store-failed',
  'log-closed': 'store-closed',
  'read-failed': 'store-read-failed',
  'payload-too-large': 'body-too-large',
  'name-too-long': 'name-too-long',
  'stream-exists': 'queue-exists',
  'stream-removed': 'queue-removed',
};

/** What the log says, as the broker knows it. */
export function translated(error: unknown): unknown {
  return error instanceof LogError
    ? new StoreError(codes[error.code], error.message, { cause: error })
    : error;
}

export function translate<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

export async function translateAsync<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw translated(error);
  }
}
