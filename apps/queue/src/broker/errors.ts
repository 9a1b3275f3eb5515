/** Why the broker refused. Closed set; how each looks on a wire stands in docs/protocol.md. */
export type BrokerErrorCode =
  | 'bad-name'
  | 'bad-options'
  | 'bad-setting'
  | 'too-many-queues'
  | 'too-many-open-reads'
  | 'too-many-waits'
  | 'read-is-open'
  | 'rate-limited'
  | 'too-many-connections'
  | 'reads-blocked'
  | 'writes-blocked';

export class BrokerError extends Error {
  readonly code: BrokerErrorCode;
  constructor(code: BrokerErrorCode, message: string) {
    super(message);
    this.name = 'BrokerError';
    this.code = code;
  }
}
