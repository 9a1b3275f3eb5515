/** What the first bytes of a flood's message say: u32 run, u32 sender, f64 when it was sent. */

export const STAMP_BYTES = 16;

export interface Stamp {
  /** Tells this run's messages from others' in the group. */
  readonly run: number;
  readonly sender: number;
  /** By this process's clock. */
  readonly sentMs: number;
}

export function writeStamp(data: Uint8Array, { run, sender, sentMs }: Stamp): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  view.setUint32(0, run);
  view.setUint32(4, sender);
  view.setFloat64(8, sentMs);
}

/** Undefined for what is too short for one. */
export function readStamp(data: Uint8Array): Stamp | undefined {
  if (data.length < STAMP_BYTES) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return { run: view.getUint32(0), sender: view.getUint32(4), sentMs: view.getFloat64(8) };
}
