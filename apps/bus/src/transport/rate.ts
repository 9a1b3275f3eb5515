/** How often an address may make us send something, and all strangers together. */
export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
  readonly allPerSecond: number;
  readonly allBurst: number;
}

/** Addresses remembered; a forgotten one begins anew, and then the limit of all together holds. */
const ADDRESSES_MAX = 1024;

interface Bucket {
  tokens: number;
  atMs: number;
}

export class AddressRate {
  readonly #limits: RateLimits;
  readonly #all: Bucket;
  readonly #addresses = new Map<string, Bucket>();

  constructor(limits: RateLimits) {
    this.#limits = limits;
    this.#all = { tokens: limits.allBurst, atMs: Number.NEGATIVE_INFINITY };
  }

  /** Whether one more may go to this address now; if so it counts. */
  take(now: number, address: string): boolean {
    const { perSecond, burst, allPerSecond, allBurst } = this.#limits;
    let bucket = this.#addresses.get(address);
    if (bucket === undefined) {
      bucket = { tokens: burst, atMs: now };
      if (this.#addresses.size >= ADDRESSES_MAX) {
        this.#addresses.delete(this.#addresses.keys().next().value as string);
      }
      this.#addresses.set(address, bucket);
    }
    fill(bucket, now, perSecond, burst);
    fill(this.#all, now, allPerSecond, allBurst);
    if (bucket.tokens < 1 || this.#all.tokens < 1) return false;
    bucket.tokens--;
    this.#all.tokens--;
    return true;
  }
}

function fill(bucket: Bucket, now: number, perSecond: number, burst: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) * perSecond) / 1000);
  bucket.atMs = now;
}
