import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { errorMessage, ServiceError } from '../errors.ts';
import { Histogram, type HistogramOptions } from './histogram.ts';

export type MetricLabels = Readonly<Record<string, string | number>>;

/** One labelled value of a counter or a gauge. */
export interface MetricSample {
  readonly labels: MetricLabels;
  readonly value: number;
}

export interface MetricOptions {
  /** Without the prefix: `messages_delivered_total` becomes `rookery_queue_messages_delivered_total`. */
  readonly name: string;
  readonly help: string;
  /** Asked at each scrape, and only then: hot paths bump plain numbers and know nothing of metrics. */
  readonly value: () => number | Iterable<MetricSample>;
}

export interface MetricsOptions {
  /** `queue`, `bus`, `deploy`: names start with `rookery_<app>_`. */
  readonly app: string;
  /** Given as the label of `rookery_<app>_build_info`. */
  readonly version?: string;
  /**
   * Also the metrics of the process (`process_…`, `nodejs_…`); default false, because they belong to the process and
   * not to one of several servers in it. The cli turns them on.
   */
  readonly process?: boolean;
  /** Most labelled values that one metric may expose; default 10 000, what Prometheus takes in one scrape with ease. */
  readonly seriesMax?: number;
}

/** The metrics of one server. Several in one process share nothing. */
export interface Metrics {
  /** `text/plain; version=0.0.4; charset=utf-8`. */
  readonly contentType: string;
  /**
   * A number that only grows; its name ends in `_total`.
   * @throws ServiceError METRIC_INVALID for a name that is taken or breaks the rules.
   */
  registerCounter(options: MetricOptions): void;
  /** A number that goes up and down; sizes end in `_bytes`, durations in `_seconds`. */
  registerGauge(options: MetricOptions): void;
  /** How values are spread; `observe` may be called on hot paths. */
  registerHistogram(options: HistogramOptions): Histogram;
  /** The text of a scrape. A collector that throws loses its own metric only, and counts as a collector error. */
  render(): Promise<string>;
}

/** Makes the metrics of one server, with a registry of its own. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const prefix = `rookery_${options.app}_`;
  const seriesMax = options.seriesMax ?? 10_000;
  const names = new Set<string>();
  let collectorErrors = 0;
  let seriesDropped = 0;

  function claim(name: string, help: string): string {
    const full = name.startsWith(prefix) ? name : prefix + name;
    const problem = nameProblem(full, help, names);
    if (problem !== undefined) throw new ServiceError('METRIC_INVALID', `metric ${full} ${problem}`);
    names.add(full);
    return full;
  }

  function samples(value: MetricOptions['value']): Sample[] {
    try {
      const given = value();
      if (typeof given === 'number') return [{ labels: {}, value: given }];
      const kept: Sample[] = [];
      for (const sample of given) {
        if (kept.length < seriesMax) kept.push({ labels: { ...sample.labels }, value: sample.value });
        else seriesDropped++;
      }
      return kept;
    } catch {
      collectorErrors++;
      return [];
    }
  }

  function register(type: 'counter' | 'gauge', { name, help, value }: MetricOptions): void {
    if (type === 'counter' && !name.endsWith('_total')) {
      throw new ServiceError('METRIC_INVALID', `metric ${name} must end in _total, because it is a counter`);
    }
    const full = claim(name, help);
    expose(registry, full, help, type, () => samples(value));
  }

  if (options.process === true) collectDefaultMetrics({ register: registry });
  const metrics: Metrics = {
    contentType: registry.contentType,
    registerCounter: (counter) => register('counter', counter),
    registerGauge: (gauge) => register('gauge', gauge),
    registerHistogram(histogram) {
      const full = claim(histogram.name, histogram.help);
      const made = new Histogram(full, histogram.buckets);
      expose(registry, full, histogram.help, 'histogram', () => made.samples());
      return made;
    },
    async render() {
      const texts: string[] = [];
      for (const { name } of registry.getMetricsAsArray()) {
        texts.push(await registry.getSingleMetricAsString(name));
        // Ten thousand labelled values take 20 ms: between two such metrics others have their turn.
        await nextTurn();
      }
      return `${texts.join('\n\n')}\n`;
    },
  };
  metrics.registerGauge({
    name: 'build_info',
    help: 'Always 1; the labels tell the version.',
    value: () => [{ labels: { version: options.version ?? 'unknown', node: process.version }, value: 1 }],
  });
  metrics.registerCounter({
    name: 'metrics_collector_errors_total',
    help: 'Metrics that could not be collected in a scrape.',
    value: () => collectorErrors,
  });
  metrics.registerCounter({
    name: 'metrics_series_dropped_total',
    help: 'Labelled values left out of a scrape because their metric had too many.',
    value: () => seriesDropped,
  });
  return metrics;
}

interface Sample {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

/**
 * Prom-client's own classes keep a map per labelled value and fill it on every change; a registry takes any object
 * with `get()`, so values stay where they are counted and are only read at a scrape.
 */
function expose(
  registry: Registry,
  name: string,
  help: string,
  type: string,
  get: () => readonly Sample[],
): void {
  const metric = {
    name,
    help,
    get: () => Promise.resolve({ name, help, type, aggregator: 'sum', values: get() }),
  };
  try {
    registry.registerMetric(metric as unknown as Parameters<Registry['registerMetric']>[0]);
  } catch (error) {
    throw new ServiceError('METRIC_INVALID', errorMessage(error), { cause: error });
  }
}

function nameProblem(name: string, help: string, taken: ReadonlySet<string>): string | undefined {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return 'must be lower case with underscores';
  if (taken.has(name)) return 'is registered twice';
  if (/_(ms|milliseconds|us|ns|kb|kib|mb|mib)(_total)?$/.test(name)) return 'must use seconds or bytes';
  if (help === '') return 'needs a help text';
  return undefined;
}
