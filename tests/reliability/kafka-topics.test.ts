import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { alterTopic, createTopics, deadLettersIn, drained, produce, withAdmin } from '../support/kafka-tools';
import { isolatedServers, sql, type Env } from '../support/test-servers';

/** A service on topics that it found, with these settings. */
async function startOn(
  settings: Readonly<Record<string, string>>,
  variables: Env = {},
): Promise<TestService> {
  const env = { ...(await isolatedServers()), ...variables };
  await createTopics(env, settings);
  return startService(env);
}

const post = (service: TestService, registration = buildRegistration()) =>
  service.http.post('/api/users').send(registration);

const rows = async ({ env }: TestService): Promise<number> => (await sql(env, 'SELECT id FROM users')).length;

const metric = async (service: TestService, series: string): Promise<number> => {
  const text = await (await fetch(`${service.metricsUrl}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length));
};

const lines = ({ log }: TestService, message: string) => log.lines.filter((line) => line.message === message);

describe('a topic whose compression.type is not the producer’s', () => {
  it('is read with every codec of Kafka', async () => {
    const service = await startOn({ 'compression.type': 'zstd' });

    for (const codec of ['zstd', 'lz4', 'snappy', 'gzip']) {
      await alterTopic(service.env, { 'compression.type': codec });
      const registration = buildRegistration({ occupation: codec.repeat(20) });
      await post(service, registration).expect(201);
      await eventually(() => service.http.get(`/api/users/${registration.email}`).expect(200));
    }

    await service.stop();
  });
});

describe('a topic that takes small batches only', () => {
  it('gets all registrations of a crowd, in parts', async () => {
    const service = await startOn({ 'max.message.bytes': '20000' });
    const large = { firstName: '漢'.repeat(100), lastName: '字'.repeat(100), occupation: '業'.repeat(255) };

    const responses = await Promise.all(
      Array.from({ length: 300 }, () => post(service, buildRegistration(large))),
    );

    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([201]));
    await eventually(async () => expect(await rows(service)).toBe(300));
    await service.stop();
  });
});

describe('a record that is larger than dead letters may be', () => {
  it.each([
    ['its value', { key: 'k', value: 'x'.repeat(6_000_000) }, { key: 'k', 'value-bytes': '6000000' }],
    [
      'its headers and its key',
      { key: 'y'.repeat(2_000_000), value: 'v', headers: { junk: 'x'.repeat(4_000_000) } },
      { key: undefined, 'value-bytes': '1' },
    ],
  ])('by %s is isolated without it, and the rest is stored', async (_what, junk, left) => {
    const service = await startOn({ 'max.message.bytes': '8000000' });
    // What the service gives its own topic of dead letters.
    const name = `${service.env['KAFKA_TOPIC'] ?? ''}.dlq`;
    await alterTopic({ ...service.env, KAFKA_TOPIC: name }, { 'max.message.bytes': '4194304' });
    const good = buildRegistration();

    await produce(service.env, [junk, { key: good.email, value: JSON.stringify(good) }]);
    await drained(service.env);

    const { key, ...size } = left;
    expect(await rows(service)).toBe(1);
    expect(await deadLettersIn(service.env)).toEqual([
      {
        key,
        value: undefined,
        headers: {
          'dead-letter-reason': 'invalid',
          'dead-letter-error': 'Validation error: the record value is not JSON',
          'source-topic': service.env['KAFKA_TOPIC'],
          'source-partition': '0',
          'source-offset': '0',
          ...size,
        },
      },
    ]);
    await service.stop();
  });
});

describe('records that Kafka deleted before they were read', () => {
  const deleteAll = (env: Env) =>
    withAdmin(env, async (admin) => {
      const topic = env['KAFKA_TOPIC'] ?? '';
      const ends = (await admin.fetchTopicOffsets(topic)).map(({ partition, high: offset }) => ({
        partition,
        offset,
      }));
      await admin.deleteTopicRecords({ topic, partitions: ends });
    });

  const storeAndStop = async (env: Env, count: number): Promise<void> => {
    const service = await startService(env);
    await Promise.all(Array.from({ length: count }, () => post(service).expect(201)));
    await drained(env);
    await service.stop();
  };

  it.each([
    ['ever', 0],
    ['after the first ones', 30],
  ])('%s are an error with their offsets, and are counted', async (_when, readBefore) => {
    const env = await isolatedServers();
    if (readBefore > 0) await storeAndStop(env, readBefore);
    const api = await startService({ ...env, CONSUMER_ENABLED: 'false' });
    await Promise.all(Array.from({ length: 20 }, () => post(api).expect(201)));
    await deleteAll(env);

    const service = await startService(env);
    await eventually(async () => expect(await metric(service, 'registration_records_lost_total')).toBe(20));
    await post(service).expect(201);
    await eventually(async () => expect(await rows(service)).toBe(readBefore + 1));

    const lost = lines(service, 'records lost: Kafka deleted them before they were read');
    expect(lost.map(({ level }) => level)).toEqual(lost.map(() => 'error'));
    const counts = lost.map(({ from, to }) => Number(to) - Number(from) + 1);
    expect(counts.reduce((sum, count) => sum + count)).toBe(20);
    expect(await metric(service, 'registration_records_lost_total')).toBe(20);
    await Promise.all([api.stop(), service.stop()]);
  });
});

describe('a topic that gets more partitions', () => {
  it('is consumed and produced to in all of them within seconds', async () => {
    const service = await startOn({});
    const topic = service.env['KAFKA_TOPIC'] ?? '';
    // What it knows of the topic is fresh.
    await post(service).expect(201);
    await eventually(async () => expect(await rows(service)).toBe(1));
    await withAdmin(service.env, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic, count: 6 }] }),
    );

    const registration = buildRegistration();
    await produce(service.env, [
      { partition: 5, key: registration.email, value: JSON.stringify(registration) },
    ]);

    await eventually(() => service.http.get(`/api/users/${registration.email}`).expect(200));
    await eventually(async () => {
      await post(service).expect(201);
      const offsets = await withAdmin(service.env, (admin) => admin.fetchTopicOffsets(topic));
      const used = offsets.filter(({ partition, high }) => [3, 4].includes(partition) && high !== '0');
      expect(used.length).toBeGreaterThan(0);
    });
    await service.stop();
  });
});

describe('a clock that is two hours ahead', () => {
  const { now } = Date;
  beforeEach(() => jest.spyOn(Date, 'now').mockImplementation(() => now() + 2 * 3_600_000));
  afterEach(() => jest.restoreAllMocks());

  it('does not matter to the topics that the service makes', async () => {
    const service = await startService();

    await post(service).expect(201);

    await eventually(async () => expect(await rows(service)).toBe(1));
    await service.stop();
  });

  it('makes an older topic unhealthy, with a hint, until it is mended: what waited is stored', async () => {
    const service = await startOn(
      { 'message.timestamp.type': 'CreateTime' },
      { KAFKA_DELIVERY_TIMEOUT_MS: '500' },
    );
    const health = async (): Promise<unknown> =>
      ((await service.http.get('/api/health')).body as { services: { kafka: string } }).services.kafka;

    await post(service).expect(503);
    await eventually(async () => expect(await health()).toBe('unhealthy'));
    const [line] = lines(service, 'dependency unavailable');
    await alterTopic(service.env, { 'message.timestamp.type': 'LogAppendTime' });

    await eventually(async () => expect(await health()).toBe('healthy'));
    expect(line?.['hint']).toMatch(/clock/);
    await eventually(async () => expect(await rows(service)).toBe(1));
    await service.stop();
  });
});

describe('topics whose settings endanger the promise', () => {
  it('are named in the log, with the command that mends them, and in a metric until they are mended', async () => {
    const service = await startOn({
      'cleanup.policy': 'compact',
      'retention.bytes': '1000000',
      'message.timestamp.type': 'LogAppendTime',
      'retention.ms': String(30 * 86_400_000),
    });
    const topic = service.env['KAFKA_TOPIC'] ?? '';
    const wrong = (setting: string) =>
      metric(service, `registration_topic_settings_wrong{topic="${topic}",setting="${setting}"}`);

    const hints = lines(service, 'topic settings endanger the promise').map(({ hint }) => hint);
    const before = [
      await wrong('cleanup.policy'),
      await wrong('retention.bytes'),
      await wrong('retention.ms'),
    ];
    await alterTopic(service.env, { 'cleanup.policy': 'delete', 'retention.bytes': '-1' });

    expect(hints).toEqual([
      expect.stringContaining(`--entity-name ${topic} --add-config cleanup.policy=delete,retention.bytes=-1`),
      expect.stringContaining(
        `--entity-name ${topic}.dlq --add-config cleanup.policy=delete,retention.bytes=-1,`,
      ),
    ]);
    expect(before).toEqual([1, 1, NaN]);
    await eventually(async () => expect(await wrong('cleanup.policy')).toBeNaN());
    await service.stop();
  });

  it('are those of the events topic, too: one that deletes would lose users', async () => {
    const env = await isolatedServers();
    const topic = `${env['KAFKA_TOPIC'] ?? ''}.events`;
    const configEntries = [{ name: 'cleanup.policy', value: 'delete' }];
    await withAdmin(env, (admin) => admin.createTopics({ topics: [{ topic, configEntries }] }));

    const service = await startService({ ...env, KAFKA_EVENTS_TOPIC: topic });

    const hints = lines(service, 'topic settings endanger the promise').map(({ hint }) => hint);
    expect(hints).toEqual([
      expect.stringContaining(`--entity-name ${topic} --add-config cleanup.policy=compact,`),
    ]);
    const series = `registration_topic_settings_wrong{topic="${topic}",setting="cleanup.policy"}`;
    expect(await metric(service, series)).toBe(1);
    await service.stop();
  });

  it('are unhealthy when a registration may not fit', async () => {
    const service = await startOn({});
    await alterTopic(service.env, { 'max.message.bytes': '1000' });

    const line = await eventually(() => {
      const [found] = lines(service, 'dependency unavailable');
      expect(found).toBeDefined();
      return found;
    });

    expect(line?.['hint']).toBe(
      `max.message.bytes of the topic ${service.env['KAFKA_TOPIC'] ?? ''} must be at least 4096`,
    );
    const tooLarge = buildRegistration({
      occupation: 'x'.repeat(255),
      firstName: '漢'.repeat(100),
      lastName: '漢'.repeat(100),
    });
    await post(service, tooLarge).expect(503);
    const status = await service.http.get(`/api/users/${tooLarge.email}/status`);
    expect(status.body).toMatchObject({ data: { status: 'failed', reason: 'unstorable' } });
    await post(service).expect(201);
    await service.stop();
  });
});
