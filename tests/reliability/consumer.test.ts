import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import {
  createTopics,
  deadLettersIn,
  drained,
  lag,
  produce,
  withAdmin,
  type ReadRecord,
} from '../support/kafka-tools';
import { isolatedServers, sql, withRedis } from '../support/test-servers';

const messageOf = (registration: Registration, overrides: Partial<Message> = {}): Message => ({
  key: registration.email,
  value: JSON.stringify(registration),
  headers: { 'event-id': `event of ${registration.firstName}` },
  ...overrides,
});

/** In the order of their records; they are in several partitions. */
const deadLetters = async (service: TestService): Promise<ReadRecord[]> => {
  const offsetOf = ({ headers }: ReadRecord): number => Number(headers['source-offset']);
  return (await deadLettersIn(service.env)).sort((a, b) => offsetOf(a) - offsetOf(b));
};

const emailsOf = async (service: TestService): Promise<unknown[]> =>
  (await sql(service.env, 'SELECT email FROM users ORDER BY id')).map(({ email }) => email);

describe('records that came before the group’s first commit', () => {
  it('are written: the consumer starts at the beginning', async () => {
    const env = await isolatedServers();
    await createTopics(env);
    const early = [buildRegistration(), buildRegistration()];
    await produce(
      env,
      early.map((registration) => messageOf(registration)),
    );

    const service = await startUnready(env);
    await eventually(async () => expect(await emailsOf(service)).toEqual(early.map(({ email }) => email)));

    await service.stop();
  });
});

describe('duplicate delivery', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });
  it('of the same record gives one row, burns no id and leaves no dead letter', async () => {
    const [registration, next] = [buildRegistration(), buildRegistration()];
    await produce(service.env, [messageOf(registration), messageOf(registration)]);
    await produce(service.env, [messageOf(registration)]);
    await drained(service.env);
    await produce(service.env, [messageOf(registration), messageOf(next)]);
    await drained(service.env);

    const rows = await sql(service.env, 'SELECT id, email FROM users ORDER BY id');
    expect(rows.map(({ email }) => email)).toEqual([registration.email, next.email]);
    expect(Number(rows[1]?.['id']) - Number(rows[0]?.['id'])).toBe(1);
    expect(await deadLetters(service)).toEqual([]);
  });

  it('of another record for the same email keeps the first and dead-letters the second', async () => {
    const first = buildRegistration({ firstName: 'First' });
    const second = { ...first, firstName: 'Second' };
    const third = { ...first, lastName: 'Third' };
    await produce(service.env, [messageOf(first), messageOf(second)]);
    await drained(service.env);
    await produce(service.env, [messageOf(third)]);
    await drained(service.env);

    const response = await service.http.get(`/api/users/${first.email}`).expect(200);
    const cached = await withRedis(service.env, (redis) => redis.get(`user:completed:${first.email}`));
    const found = (await deadLetters(service)).filter(({ key }) => key === first.email);

    const stored = { first_name: 'First', last_name: first.lastName };
    expect(response.body).toMatchObject({ data: stored });
    expect(JSON.parse(cached ?? '')).toMatchObject(stored);
    expect(found[1]).toMatchObject({ value: JSON.stringify(third) });
    expect(found.slice(0, 1)).toEqual([
      {
        key: first.email,
        value: JSON.stringify(second),
        headers: {
          'event-id': 'event of Second',
          'dead-letter-reason': 'conflict',
          'dead-letter-error': 'another registration of this email came first',
          'source-topic': service.env['KAFKA_TOPIC'],
          'source-partition': '0',
          'source-offset': expect.stringMatching(/^\d+$/),
        },
      },
    ]);
  });
});

describe('poison records between good ones', () => {
  it('are dead-lettered alone, with their reason; the good ones are stored in order', async () => {
    const service = await startService();
    const bad = buildRegistration();
    // kafkajs reads it (as null), but cannot write it.
    const noValue = null as unknown as string;
    const valueWith = (fields: object): Message =>
      messageOf(bad, { value: JSON.stringify({ ...bad, ...fields }) });
    const poison: readonly (readonly [Message, string])[] = [
      [{ key: bad.email, value: null }, 'the record has no value'],
      [
        messageOf(bad, {
          value: null,
          headers: { 'event-id': noValue, 'request-id': noValue, other: noValue },
        }),
        'the record has no value',
      ],
      [messageOf(bad, { key: null }), 'the record key is not the email'],
      [messageOf(bad, { key: uniqueEmail() }), 'the record key is not the email'],
      [messageOf(bad, { key: 'NOT CANONICAL@example.com' }), 'the record key is not the email'],
      [messageOf(bad, { value: '{broken' }), 'the record value is not JSON'],
      [messageOf(bad, { value: Buffer.from([0xff, 0xfe, 0x00]) }), 'the record value is not JSON'],
      [messageOf(bad, { value: '5' }), 'body must be of type object'],
      [messageOf(bad, { value: JSON.stringify([bad]) }), 'body must be of type object'],
      [valueWith({ firstName: 5 }), 'firstName must be a string'],
      [valueWith({ firstName: 'a\0b' }), 'firstName must not contain a NUL or control character'],
      [
        valueWith({ occupation: 'x'.repeat(900_000) }),
        'occupation length must be less than or equal to 255 characters long',
      ],
    ];
    const good = poison.map(() => buildRegistration());
    const mixed = good.flatMap((registration, index) => [
      messageOf(registration),
      poison[index]?.[0] ?? { value: null },
    ]);

    await produce(service.env, mixed);
    await drained(service.env);

    expect(await emailsOf(service)).toEqual(good.map(({ email }) => email));
    const found = (await deadLetters(service)).map(({ value, headers }) => [
      headers['source-offset'],
      value,
      headers['dead-letter-reason'],
      headers['dead-letter-error'],
    ]);
    expect(found).toEqual(
      poison.map(([{ value }, error], index) => [
        String(index * 2 + 1),
        value?.toString(),
        'invalid',
        `Validation error: ${error}`,
      ]),
    );
    await service.stop();
  });

  it('that only the database rejects are found, dead-lettered, and free their email again', async () => {
    const service = await startService();
    await sql(service.env, "ALTER TABLE users ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')");
    const [eve, adam] = [buildRegistration({ firstName: 'Eve' }), buildRegistration({ firstName: 'Adam' })];

    await Promise.all([eve, adam].map((each) => service.http.post('/api/users').send(each).expect(201)));
    await drained(service.env);

    expect(await emailsOf(service)).toEqual([adam.email]);
    expect(
      (await deadLetters(service)).map(({ key, headers }) => [key, headers['dead-letter-reason']]),
    ).toEqual([[eve.email, 'unstorable']]);
    const keys = await withRedis(service.env, (redis) =>
      Promise.all([redis.exists(`user:pending:${eve.email}`), redis.get(`user:failed:${eve.email}`)]),
    );
    expect(keys).toEqual([0, expect.stringContaining('"reason":"unstorable"')]);
    await service.http
      .post('/api/users')
      .send({ ...eve, firstName: 'Evelyn' })
      .expect(201);
    await eventually(() => service.http.get(`/api/users/${eve.email}`).expect(200));
    await service.stop();
  });
});

describe('a consumer stopped between records', () => {
  it('leaves the offset of what is not stored, and the next one writes it', async () => {
    const first = await startService();
    await sql(first.env, 'ALTER TABLE users RENAME TO users_away');
    const registration = buildRegistration();
    await first.http.post('/api/users').send(registration).expect(201);
    await eventually(() =>
      expect(first.log.lines).toContainEqual(
        expect.objectContaining({ message: 'batch write failed, retrying' }),
      ),
    );

    expect(await first.stop()).toBe(true);
    expect(await lag(first.env)).toBe(1);
    await sql(first.env, 'ALTER TABLE users_away RENAME TO users');
    const second = await startService(first.env);

    await eventually(async () => expect(await emailsOf(second)).toEqual([registration.email]));
    await drained(second.env);
    await second.stop();
  });
});

describe('consumers stopped while they connect or join', () => {
  it('leave their partitions to the others', async () => {
    const env = await isolatedServers();
    const stopped = await Promise.all([1, 2, 3, 4].map(() => startService(env)));
    await Promise.all(stopped.map((service) => service.stop()));
    const remaining = await startUnready(env);
    await produce(
      env,
      [0, 1, 2].map((partition) => messageOf(buildRegistration(), { partition })),
    );

    await drained(env);
    await remaining.stop();
  });
});

describe('a topic that is deleted', () => {
  const deleteTopic = (service: TestService) =>
    withAdmin(service.env, (admin) => admin.deleteTopics({ topics: [service.env['KAFKA_TOPIC'] ?? ''] }));

  const register = async (service: TestService): Promise<string> => {
    const registration = buildRegistration();
    await eventually(() => service.http.post('/api/users').send(registration).expect(201));
    return registration.email;
  };

  it('is created again and consumed from its beginning, whichever of two processes creates it', async () => {
    const one = await startService({ KAFKA_PARTITIONS: '1' });
    const other = await startService(one.env);
    await register(one);
    await drained(one.env);

    await deleteTopic(one);
    await Promise.all([one, other].map(({ http }) => eventually(() => http.get('/api/health').expect(503))));
    const first = await register(other);

    await eventually(() => one.http.get(`/api/users/${first}`).expect(200));
    await drained(one.env);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('is read from its beginning although a batch of the deleted one waits for PostgreSQL', async () => {
    const service = await startService({ KAFKA_PARTITIONS: '1' });
    await sql(service.env, 'ALTER TABLE users RENAME TO users_away');
    await register(service);
    await eventually(() =>
      expect(service.log.lines).toContainEqual(
        expect.objectContaining({ message: 'batch write failed, retrying' }),
      ),
    );

    await deleteTopic(service);
    await eventually(async () => {
      const { body } = await service.http.get('/api/health').expect(503);
      expect(body).toMatchObject({ services: { kafka: 'unhealthy' } });
    });
    const first = await register(service);
    await sql(service.env, 'ALTER TABLE users_away RENAME TO users');

    await eventually(() => service.http.get(`/api/users/${first}`).expect(200));
    await drained(service.env);
    await service.stop();
  });
});
