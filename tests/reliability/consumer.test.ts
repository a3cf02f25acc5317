import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import { createTopics, lag, produce, readAll, withAdmin, type ReadRecord } from '../support/kafka-tools';
import { isolatedServers, sql, withRedis } from '../support/test-servers';

const messageOf = (registration: Registration, overrides: Partial<Message> = {}): Message => ({
  key: registration.email,
  value: JSON.stringify(registration),
  headers: { 'event-id': `event of ${registration.firstName}` },
  ...overrides,
});

const drained = (service: TestService) => eventually(async () => expect(await lag(service.env)).toBe(0));

/** In the order of the records they were; they lie on several partitions. */
const deadLetters = async (service: TestService): Promise<ReadRecord[]> => {
  const offsetOf = ({ headers }: ReadRecord): number => Number(headers['source-offset']);
  const letters = await readAll(service.env, `${service.env['KAFKA_TOPIC'] ?? ''}.dlq`);
  return letters.sort((a, b) => offsetOf(a) - offsetOf(b));
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
    await drained(service);
    await produce(service.env, [messageOf(registration), messageOf(next)]);
    await drained(service);

    const rows = await sql(service.env, 'SELECT id, email FROM users ORDER BY id');
    expect(rows.map(({ email }) => email)).toEqual([registration.email, next.email]);
    expect(Number(rows[1]?.['id']) - Number(rows[0]?.['id'])).toBe(1);
    expect(await deadLetters(service)).toEqual([]);
  });

  it('of another record for the same e-mail keeps the first and dead-letters the second', async () => {
    const first = buildRegistration({ firstName: 'First' });
    const second = { ...first, firstName: 'Second' };
    await produce(service.env, [messageOf(first), messageOf(second)]);
    await drained(service);

    const response = await service.http.get(`/api/users/${first.email}`).expect(200);
    const cached = await withRedis(service.env, (redis) => redis.get(`user:completed:${first.email}`));
    const letters = (await deadLetters(service)).filter(({ key }) => key === first.email);

    expect(response.body).toMatchObject({ data: { first_name: 'First' } });
    expect(JSON.parse(cached ?? '')).toMatchObject({ first_name: 'First' });
    expect(letters).toEqual([
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
    const good = Array.from({ length: 11 }, () => buildRegistration());
    const bad = buildRegistration();
    const poison: Message[] = [
      // kafkajs reads it (as null), but cannot write it.
      { key: bad.email, value: null, headers: { 'no-value': null as unknown as string } },
      { key: bad.email, value: null },
      { key: null, value: JSON.stringify(bad) },
      messageOf(bad, { value: '{broken' }),
      messageOf(bad, { value: JSON.stringify([bad]) }),
      messageOf(bad, { value: JSON.stringify({ ...bad, gender: 7 }) }),
      messageOf(bad, { value: JSON.stringify({ ...bad, firstName: 'a\0b' }) }),
      messageOf(bad, { value: JSON.stringify({ ...bad, occupation: 'x'.repeat(900_000) }) }),
      messageOf(bad, { value: JSON.stringify({ ...bad, email: uniqueEmail() }) }),
      messageOf(bad, { key: 'NOT CANONICAL@example.com' }),
      messageOf(bad, { value: Buffer.from([0xff, 0xfe, 0x00]) }),
    ];
    const mixed = good.flatMap((registration, index) => [
      messageOf(registration),
      poison[index] ?? { value: null },
    ]);

    await produce(service.env, mixed);
    await drained(service);

    expect(await emailsOf(service)).toEqual(good.map(({ email }) => email));
    const letters = await deadLetters(service);
    expect(letters.map(({ headers }) => headers['dead-letter-reason'])).toEqual(poison.map(() => 'invalid'));
    expect(letters.map(({ headers }) => headers['source-offset'])).toEqual(
      poison.map((_, index) => String(index * 2 + 1)),
    );
    expect(letters.map(({ value }) => value ?? null)).toEqual(
      poison.map(({ value }) => (value === null ? null : String(value))),
    );
    await service.stop();
  });

  it('that only the database refuses are found, dead-lettered, and free their e-mail again', async () => {
    const service = await startService();
    await sql(service.env, "ALTER TABLE users ADD CONSTRAINT no_eve CHECK (first_name <> 'Eve')");
    const [eve, adam] = [buildRegistration({ firstName: 'Eve' }), buildRegistration({ firstName: 'Adam' })];

    await Promise.all([eve, adam].map((each) => service.http.post('/api/users').send(each).expect(201)));
    await drained(service);

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
    await drained(second);
    await second.stop();
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

  it('is made anew and consumed from its beginning, whichever of two processes makes it', async () => {
    const one = await startService({ KAFKA_PARTITIONS: '1' });
    const other = await startService(one.env);
    await register(one);
    await drained(one);

    await deleteTopic(one);
    await Promise.all([one, other].map(({ http }) => eventually(() => http.get('/api/health').expect(503))));
    const first = await register(other);

    await eventually(() => one.http.get(`/api/users/${first}`).expect(200));
    await drained(one);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('takes the offset of a batch that waits for PostgreSQL with it', async () => {
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
    await drained(service);
    await service.stop();
  });
});
