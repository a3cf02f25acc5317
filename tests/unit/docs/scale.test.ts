import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { loadConfig } from '../../../src/config/config';
import { COMPLETED_TTL_SECONDS, PENDING_TTL_SECONDS } from '../../../src/redis/keys-and-lifetimes';

const page = readFileSync('docs/scale.md', 'utf8');
const DAY = 86_400;
const PEAK = 3;
const COPIES = 3;
const SERIAL_MAX = 2 ** 31 - 1;
// A fetch waits for 100 ms.
const FETCHES_PER_SECOND = 10;
const { kafka, postgres } = loadConfig({});

/** The cells of the table under a heading, by the first of each row; numbers are texts such as `1,736`. */
function table(heading: string): Map<string, string[]> {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  const cells = rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return new Map(cells.map(([name = '', ...others]) => [name, others]));
}

const costs = table('What a registration costs');
const cost = (name: string): number => Number(costs.get(name)?.[0]?.replaceAll(',', ''));

/** From 100 on a whole number, below that two digits. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(2)));
}
const range = (one: number, other: number): string => `${figure(one)} to ${figure(other)}`;

/** What a pod takes before another joins it: the CPU that the autoscaler aims at. */
function perPod(): number {
  const [deployment, autoscaler] = ['deployment', 'horizontal-pod-autoscaler'].map((name) =>
    readFileSync(`k8s/base/${name}.yaml`, 'utf8'),
  );
  const { spec } = parse(deployment ?? '') as {
    spec: { template: { spec: { containers: [{ resources: { requests: { cpu: string } } }] } } };
  };
  const millicores = parseInt(spec.template.spec.containers[0].resources.requests.cpu, 10);
  const target = Number(/averageUtilization: (\d+)/.exec(autoscaler ?? '')?.[1]) / 100;
  return (millicores * 1000 * target) / cost('CPU of the process, µs');
}

/** The largest number of pods and of partitions in production. */
function production(): { pods: number; partitions: number } {
  const kustomization = readFileSync('k8s/overlays/prod/kustomization.yaml', 'utf8');
  const env = readFileSync('k8s/overlays/prod/service.env', 'utf8');
  return {
    pods: Number(/maxReplicas\n\s+value: (\d+)/.exec(kustomization)?.[1]),
    partitions: Number(/^KAFKA_PARTITIONS=(\d+)/m.exec(env)?.[1]),
  };
}

/** The rows of "What it takes" for so many registrations a day, by name. */
function needed(perDay: number): Record<string, string> {
  const average = perDay / DAY;
  const peak = PEAK * average;
  const pods = Math.max(2, Math.ceil(peak / perPod()));
  const partitions = Math.ceil(pods / 3) * 3;
  const cores = (name: string): number => (peak * cost(name)) / 1e6;
  const wal = [
    'WAL of a row, its pages written since the checkpoint, bytes',
    'WAL of a row, the first in its pages, bytes',
  ];
  const [walLeast = 0, walMost = 0] = wal.map(cost);
  const backlog = peak * PENDING_TTL_SECONDS;
  const stored = (perDay * COMPLETED_TTL_SECONDS) / DAY;
  return {
    'registrations/s, average and peak': `${figure(average)}, ${figure(peak)}`,
    pods: figure(pods),
    partitions: figure(partitions),
    'cores of PostgreSQL, Redis and Kafka': ['PostgreSQL', 'Redis', 'Kafka']
      .map((server) => figure(cores(`CPU of ${server}, µs`)))
      .join(', '),
    'connections to PostgreSQL in a rollout': figure(2 * pods * (postgres.poolMax + 1)),
    'INSERTs/s, rows in each': `${figure(partitions * FETCHES_PER_SECOND)}, ${figure(peak / partitions / FETCHES_PER_SECOND)}`,
    'WAL at the peak, MB/s': range((peak * walLeast) / 1e6, (peak * walMost) / 1e6),
    'WAL, GB a day': range((perDay * walLeast) / 1e9, (perDay * walMost) / 1e9),
    'table and indexes, GB more a year': figure((365 * perDay * cost('a row with its indexes, bytes')) / 1e9),
    'Redis: reservations after an hour without PostgreSQL, GB': figure(
      (backlog * cost('Redis: a pending user, bytes')) / 1e9,
    ),
    'Redis: users stored within a day, GB': figure((stored * cost('Redis: a stored user, bytes')) / 1e9),
    'Redis: more with an Idempotency-Key each, GB': figure(
      (stored * cost('Redis: an Idempotency-Key, bytes')) / 1e9,
    ),
    'Kafka: all copies, GB': figure(
      (perDay * kafka.retentionDays * COPIES * cost('Kafka: a record, bytes')) / 1e9,
    ),
    'minutes to write the backlog of that hour': figure(backlog / (cost('a backlog, rows/s') - peak) / 60),
  };
}

/** The first column of "What breaks first": at how many registrations a day, or after how many in all. */
function limits(): Record<string, string> {
  const millions = (count: number): string => `${figure(count / 1e6)} million`;
  const aDay = (peakPerSecond: number): string => millions((peakPerSecond / PEAK) * DAY);
  const redisPerUser = cost('Redis: a stored user, bytes') + cost('Redis: an Idempotency-Key, bytes');
  return {
    'one pod': `${aDay(perPod())} a day`,
    'three pods, as many as the default of three partitions': `${aDay(kafka.partitions * perPod())} a day`,
    'production as it is in k8s/': `${aDay(production().pods * perPod())} a day`,
    'Redis with 16 GB': `${millions(16e9 / redisPerUser)} a day`,
    'a disk that takes 125 MB/s': `${aDay(125e6 / cost('WAL of a row, the first in its pages, bytes'))} a day`,
    'one thread of Redis': `${aDay(1e6 / cost('CPU of Redis, µs'))} a day`,
    'one writer of PostgreSQL': `${aDay(cost('a backlog, rows/s'))} a day`,
    'the indexes of email in 64 GB of memory': `${millions(64e9 / cost('of these the two indexes of email, bytes'))} in all`,
    'the ids of `SERIAL`': `${millions(SERIAL_MAX)} in all`,
  };
}

describe('docs/scale.md', () => {
  it('calculates what it takes from what a registration costs', () => {
    const columns = [1e6, 10e6, 50e6].map(needed);
    const names = Object.keys(columns[0] ?? {});

    expect([...table('What it takes')]).toEqual(
      names.map((name) => [name, columns.map((column) => column[name])]),
    );
  });

  it('calculates at which figure something breaks', () => {
    const reached = [...table('What breaks first')].map(([name, [at]]) => [name, at]);

    expect(Object.fromEntries(reached)).toEqual(limits());
  });

  it('says after how many days of 50 million each they are reached', () => {
    const days = ['the indexes of email in 64 GB of memory', 'the ids of `SERIAL`'].map((name) =>
      Math.round(parseInt((limits()[name] ?? '').replaceAll(',', ''), 10) / 50),
    );

    expect(page).toMatch(
      new RegExp(`first, after ${days[0] ?? ''} days;[^]*ids end after ${days[1] ?? ''} days`),
    );
  });

  it('says that production as it is in k8s/ takes 50 million a day', () => {
    const { pods, partitions } = production();

    expect(needed(50e6)).toMatchObject({ pods: String(pods), partitions: String(partitions) });
  });

  it('takes its costs of the processes from docs/performance.md', () => {
    const measured = readFileSync('docs/performance.md', 'utf8').replace(/\s+/g, ' ');
    const [postgresCpu, kafkaCpu, redisCpu] = ['PostgreSQL', 'Kafka', 'Redis'].map((server) =>
      figure(cost(`CPU of ${server}, µs`)),
    );

    expect(measured).toContain(
      `PostgreSQL ${postgresCpu ?? ''}, Kafka ${kafkaCpu ?? ''}, Redis ${redisCpu ?? ''}`,
    );
    expect(measured).toContain(`drain of 100,000 records, rows/s | ${figure(cost('a backlog, rows/s'))} `);
  });
});
