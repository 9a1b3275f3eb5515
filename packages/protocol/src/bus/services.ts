/**
 * What a message asks of its delivery. All but `safe` are delivered in the one agreed order as soon as it is known;
 * `safe` waits until every member holds the message. The numbers are those on the wire.
 */
export const SERVICES = ['unreliable', 'reliable', 'fifo', 'causal', 'agreed', 'safe'] as const;
export type Service = (typeof SERVICES)[number];

export function serviceCode(service: Service): number {
  return SERVICES.indexOf(service);
}

export const SAFE_CODE: number = serviceCode('safe');
