import { describe, expect, it } from 'vitest';
import { createMetrics } from '../src/index.ts';

describe('a scrape', () => {
  it('shows plain numbers as they are at that time', async () => {
    let delivered = 0;
    const metrics = createMetrics({ app: 'queue' });
    metrics.registerCounter({ name: 'messages_delivered_total', help: 'Delivered.', value: () => delivered });
    delivered = 3;
    expect(await metrics.render()).toContain(
      '# HELP rookery_queue_messages_delivered_total Delivered.\n' +
        '# TYPE rookery_queue_messages_delivered_total counter\n' +
        'rookery_queue_messages_delivered_total 3\n',
    );
    delivered = 4;
    expect(await metrics.render()).toContain('rookery_queue_messages_delivered_total 4\n');
  });

  it('shows labelled values, escaped', async () => {
    const metrics = createMetrics({ app: 'queue' });
    const value = () => [
      { labels: { queue: 'mail' }, value: 1 },
      { labels: { queue: 'a"b\n' }, value: 2 },
    ];
    metrics.registerGauge({ name: 'queue_bytes', help: 'Size.', value });
    const text = await metrics.render();
    expect(text).toContain('rookery_queue_queue_bytes{queue="mail"} 1\n');
    expect(text).toContain('rookery_queue_queue_bytes{queue="a\\"b\\n"} 2\n');
  });

  it('lets others have their turn between two metrics', async () => {
    const metrics = createMetrics({ app: 'queue' });
    let turns = 0;
    const seen: number[] = [];
    for (const name of ['one', 'two', 'three']) {
      metrics.registerGauge({ name, help: 'Something.', value: () => seen.push(turns) });
    }
    let rendering = true;
    const turn = (): void => {
      turns += 1;
      if (rendering) setImmediate(turn);
    };
    turn();
    await metrics.render();
    rendering = false;
    expect(new Set(seen).size).toBe(3);
  });

  it('shows a histogram in cumulative buckets', async () => {
    const metrics = createMetrics({ app: 'bus' });
    const seconds = metrics.registerHistogram({ name: 'wait_seconds', help: 'Waits.', buckets: [0.1, 1] });
    for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
    expect(await metrics.render()).toContain(
      '# TYPE rookery_bus_wait_seconds histogram\n' +
        'rookery_bus_wait_seconds_bucket{le="0.1"} 2\n' +
        'rookery_bus_wait_seconds_bucket{le="1"} 3\n' +
        'rookery_bus_wait_seconds_bucket{le="+Inf"} 4\n' +
        'rookery_bus_wait_seconds_sum 7.65\n' +
        'rookery_bus_wait_seconds_count 4\n',
    );
  });

  it('goes on without a metric that fails, and says so', async () => {
    const metrics = createMetrics({ app: 'queue' });
    const value = (): number => {
      throw new Error('closed');
    };
    metrics.registerGauge({ name: 'broken', help: 'Broken.', value });
    await metrics.render();
    expect(await metrics.render()).toMatch(/rookery_queue_metrics_collector_errors_total [12]\n/);
  });

  it('leaves out what is too much, and says so', async () => {
    const metrics = createMetrics({ app: 'queue', seriesMax: 2 });
    const value = () => [1, 2, 3].map((id) => ({ labels: { id }, value: id }));
    metrics.registerGauge({ name: 'many', help: 'Many.', value });
    await metrics.render();
    const text = await metrics.render();
    expect(text).not.toContain('id="3"');
    expect(text).toMatch(/rookery_queue_metrics_series_dropped_total [12]\n/);
  });

  it('of one server has nothing of another in the same process', async () => {
    const one = createMetrics({ app: 'queue', version: '1.0.0' });
    const other = createMetrics({ app: 'queue', version: '2.0.0' });
    one.registerGauge({ name: 'mine', help: 'Mine.', value: () => 1 });
    const text = await other.render();
    expect(text).not.toContain('mine');
    expect(text).toContain('rookery_queue_build_info{version="2.0.0"');
    expect(text).not.toContain('process_');
  });
});

describe('a metric', () => {
  it('is refused when its name breaks the rules', () => {
    const metrics = createMetrics({ app: 'queue' });
    const value = () => 1;
    expect(() => metrics.registerCounter({ name: 'items', help: 'h', value })).toThrow('must end in _total');
    expect(() => metrics.registerGauge({ name: 'age_ms', help: 'h', value })).toThrow('seconds or bytes');
    expect(() => metrics.registerGauge({ name: 'Age', help: 'h', value })).toThrow('lower case');
    metrics.registerGauge({ name: 'age_seconds', help: 'h', value });
    expect(() => metrics.registerGauge({ name: 'age_seconds', help: 'h', value })).toThrow('twice');
    expect(() => metrics.registerHistogram({ name: 'x_seconds', help: 'h', buckets: [2, 1] })).toThrow(
      'ascending',
    );
  });
});
