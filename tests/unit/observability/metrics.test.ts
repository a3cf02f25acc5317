import type { Sources } from '../../../src/observability/gauges';
import { Metrics } from '../../../src/observability/metrics';
import { DOCS } from '../../support/readme';

const sources = {
  sendQueue: { depth: 7, oldestAgeMs: 1500 },
  consumer: { oldestInFlightAt: undefined as number | undefined },
  consumerLag: {
    latest: [
      { partition: 0, committed: 10n, logEnd: 10n },
      { partition: 1, committed: 10n, logEnd: 42n },
    ],
  },
  topics: { settings: { missing: new Map<string, object>() } },
  sweeper: { unfinished: 3 },
  liveness: { silenceMs: 250 },
  health: { isReady: () => true },
  dependencies: [
    { name: 'postgres', isHealthy: true },
    { name: 'redis', isHealthy: false },
  ],
  redis: { mayEvict: true },
  pool: { usage: { used: 3, idle: 2, waiting: 4, max: 20 } },
} satisfies Sources;

function setUp(): Metrics {
  const metrics = new Metrics('c0ffee');
  metrics.registerGauges(sources);
  return metrics;
}

const linesOf = async (metrics: Metrics, name: string): Promise<string[]> =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name));

describe('Metrics', () => {
  it('are those of the documentation, with the same labels', () => {
    const own = setUp()
      .registry.getMetricsAsArray()
      .filter(({ name }) => !/^(process|nodejs)_/.test(name)) as unknown as {
      name: string;
      labelNames: string[];
    }[];
    const listed = [...DOCS.matchAll(/^\| `(http_\w+|registration_\w+)` \|([^|]*)\|/gm)].map((match) => ({
      name: match[1],
      labelNames: [...(match[2] ?? '').matchAll(/`(\w+)`/g)].map((label) => label[1]),
    }));

    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number =>
      (a.name ?? '').localeCompare(b.name ?? '');
    expect(listed.sort(byName)).toEqual(
      own.map(({ name, labelNames }) => ({ name, labelNames })).sort(byName),
    );
  });

  it('read the pipeline at each scrape', async () => {
    const text = await setUp().registry.metrics();

    for (const line of [
      'registration_send_queue_records 7',
      'registration_erasures_unfinished 3',
      'registration_send_queue_oldest_age_seconds 1.5',
      'registration_oldest_unstored_age_seconds 0',
      'registration_consumer_silence_seconds 0.25',
      'registration_ready 1',
      'registration_dependency_up{dependency="postgres"} 1',
      'registration_dependency_up{dependency="redis"} 0',
      'registration_redis_may_evict_keys 1',
      'registration_postgres_connections{state="used"} 3',
      'registration_postgres_connections{state="idle"} 2',
      'registration_postgres_connections_max 20',
      'registration_postgres_waiting_queries 4',
      'registration_dead_letters_total{reason="conflict"} 0',
      'registration_degraded_decisions_total{dependency="redis"} 0',
      'registration_build_info{version="1.0.0",revision="c0ffee"} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
  });

  it('give the age of the oldest record that is not stored', async () => {
    const metrics = new Metrics('c0ffee');
    metrics.registerGauges({ ...sources, consumer: { oldestInFlightAt: Date.now() - 60_000 } });

    const [line = ''] = await linesOf(metrics, 'registration_oldest_unstored_age_seconds');

    expect(Number(line.split(' ')[1])).toBeGreaterThanOrEqual(60);
  });

  it('count requests by method, route and status, and bound the methods', async () => {
    const metrics = setUp();

    metrics.recordRequest('POST', '/api/users', 201, 0.02);
    metrics.recordRequest('PROPFIND', 'unmatched', 404, 0.001);
    metrics.recordRequest('BREW', 'unmatched', 404, 0.001);
    metrics.recordRequest('GET', '/api/users', 'aborted', 3);

    expect(await linesOf(metrics, 'http_request_duration_seconds_count')).toEqual([
      'http_request_duration_seconds_count{method="POST",route="/api/users",status="201"} 1',
      'http_request_duration_seconds_count{method="other",route="unmatched",status="404"} 2',
      'http_request_duration_seconds_count{method="GET",route="/api/users",status="aborted"} 1',
    ]);
  });

  it('give the lag and the offset by partition, and neither when they are not known', async () => {
    const consumerLag = { latest: sources.consumerLag.latest };
    const metrics = new Metrics('c0ffee');
    metrics.registerGauges({ ...sources, consumerLag });

    const known = await linesOf(metrics, 'registration_consumer_');
    consumerLag.latest = [];
    const unknown = await linesOf(metrics, 'registration_consumer_');

    const silence = 'registration_consumer_silence_seconds 0.25';
    expect(known).toEqual([
      'registration_consumer_lag_records{partition="0"} 0',
      'registration_consumer_lag_records{partition="1"} 32',
      'registration_consumer_offset{partition="0"} 10',
      'registration_consumer_offset{partition="1"} 10',
      silence,
    ]);
    expect(unknown).toEqual([silence]);
  });
});
