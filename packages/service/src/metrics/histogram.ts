import { ServiceError } from '../errors.ts';

export interface HistogramOptions {
  /** Without the prefix; durations end in `_seconds`, sizes in `_bytes`. */
  readonly name: string;
  readonly help: string;
  /** Upper bounds in ascending order, without +Inf; default `LATENCY_BUCKETS_SECONDS`. */
  readonly buckets?: readonly number[];
}

/** From 100 µs, a good answer from memory, to 10 s, when every client has given up. */
export const LATENCY_BUCKETS_SECONDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Counts per bucket in a plain array: no labels, no map and no allocation per observation. */
export class Histogram {
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(name: string, bounds: readonly number[] = LATENCY_BUCKETS_SECONDS) {
    if (bounds.length === 0 || bounds.some((bound, index) => index > 0 && bound <= bounds[index - 1]!)) {
      throw new ServiceError('METRIC_INVALID', `metric ${name} needs buckets in ascending order`);
    }
    this.#name = name;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  /** Counts one value, in seconds or bytes as the name says. */
  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sum += value;
  }

  /** The cumulative buckets, the sum and the count of the Prometheus text format. */
  samples(): { labels: Record<string, string>; value: number; metricName: string }[] {
    let count = 0;
    const samples = [...this.#bounds.map(String), '+Inf'].map((le, index) => {
      count += this.#counts[index]!;
      return { labels: { le } as Record<string, string>, value: count, metricName: `${this.#name}_bucket` };
    });
    samples.push({ labels: {}, value: this.#sum, metricName: `${this.#name}_sum` });
    samples.push({ labels: {}, value: count, metricName: `${this.#name}_count` });
    return samples;
  }
}
