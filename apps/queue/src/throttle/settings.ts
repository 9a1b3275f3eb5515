import { byteSize, integer, type Setting, setting } from '@rookery/service';

export interface ThrottleSettings {
  readonly maxClientConnections: Setting<number>;
  readonly maxClientRequestsPerSecond: Setting<number>;
  readonly maxClientBytesPerSecond: Setting<number>;
}

export const throttleSettings: ThrottleSettings = {
  maxClientConnections: setting({
    schema: integer(),
    default: 0,
    description: 'Connections of one user, or without users of one address; 0: no limit',
    reason: 'A pool of hundreds is usual, and only you know whose it is.',
    reload: 'live',
  }),
  maxClientRequestsPerSecond: setting({
    schema: integer(),
    default: 0,
    description:
      'Requests a second of one user, or of one address; who sends more is read later; 0: no limit',
    reason: 'Clients share what there is by turns.',
    reload: 'live',
  }),
  maxClientBytesPerSecond: setting({
    schema: byteSize(),
    default: 0,
    description:
      'Bytes a second that one user, or one address, sends; who sends more is read later; 0: no limit',
    reason: 'As above.',
    unit: 'bytes',
    reload: 'live',
  }),
};
