import { randomUUID } from 'node:crypto';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { RecordingQueue } from '../support/fakes/kafka';
import { startService, type TestService } from '../support/harness';
import { ageIdempotencyLock, idempotencyKeyInRedis } from '../support/idempotency';
import { readAll } from '../support/kafka-tools';
import { postJson, send, type RawAnswer } from '../support/raw-http';
import { insertUser, withRedis } from '../support/test-servers';

const IN_PROGRESS = { success: false, error: 'A request with this Idempotency-Key is in progress' };
const REGISTERED = { success: false, error: 'User already registered' };

let service: TestService;
/** On the same servers; its Kafka never confirms. */
let unconfirmed: TestService;

beforeAll(async () => {
  const queue = new RecordingQueue();
  queue.isSilent = true;
  service = await startService();
  unconfirmed = await startService({ ...service.env, KAFKA_DELIVERY_TIMEOUT_MS: '2000' }, { queue });
});

const post = (body: unknown, key: string, to = service): Promise<RawAnswer> =>
  postJson(`${to.url}/api/users`, body, { 'Idempotency-Key': key });

const sendBody = (body: string | Buffer, headers: Record<string, string | string[]>): Promise<RawAnswer> =>
  send(
    `${service.url}/api/users`,
    { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } },
    body,
  );

/** Status, whether it was replayed, and the body. */
const shape = ({ status, headers, body }: RawAnswer) => ({
  status,
  replayed: headers['idempotency-replayed'],
  body: JSON.parse(body) as unknown,
});

const stored = (email: string) =>
  eventually(() => service.http.get(`/api/users/${encodeURIComponent(email)}`).expect(200));

const inRedis = (key: string): Promise<Record<string, string>> =>
  withRedis(service.env, (redis) => redis.hgetall(idempotencyKeyInRedis(key)));

const inFlight = (key: string) =>
  eventually(async () => expect(await inRedis(key)).toHaveProperty('attempt'));

describe('POST /api/users with an Idempotency-Key', () => {
  it('replays a 201 with its Location, however the same registration is written', async () => {
    const key = randomUUID();
    const registration = buildRegistration();
    const { email, ...others } = registration;
    const otherwise = JSON.stringify({ email: ` ${email.toUpperCase()}`, more: 1, ...others }, null, 2);

    const first = await post(registration, key);
    await stored(email);
    const again = [await post(registration, key), await sendBody(otherwise, { 'Idempotency-Key': key })];

    expect(shape(first)).toEqual({
      status: 201,
      replayed: undefined,
      body: { success: true, message: 'User registration submitted successfully', data: { email } },
    });
    for (const replay of again) {
      expect(shape(replay)).toEqual({ ...shape(first), replayed: 'true' });
      expect(replay.headers['location']).toBe(first.headers['location']);
      expect(replay.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    }
  });

  it('accepts one of many at the same time; the others are in progress or replayed', async () => {
    const key = randomUUID();
    const registration = buildRegistration();

    const answers = await Promise.all(Array.from({ length: 21 }, () => post(registration, key)));

    const fresh = answers.map(shape).filter(({ replayed }) => replayed === undefined);
    expect(fresh.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(fresh.filter(({ status }) => status !== 201)).toEqual(
      Array(fresh.length - 1).fill({ status: 409, replayed: undefined, body: IN_PROGRESS }),
    );
    await stored(registration.email);
    const records = await readAll(service.env, service.env['KAFKA_TOPIC'] ?? '');
    expect(records.filter((record) => record.key === registration.email)).toHaveLength(1);
  });

  it('answers 409 with Retry-After while the first is in flight, then decides again, not replayed', async () => {
    const key = randomUUID();
    const registration = buildRegistration();

    const first = post(registration, key, unconfirmed);
    await inFlight(key);
    const meanwhile = await post(registration, key);
    const { status } = await first;
    const retry = await post(registration, key);

    expect(shape(meanwhile)).toEqual({ status: 409, replayed: undefined, body: IN_PROGRESS });
    expect(meanwhile.headers['retry-after']).toBe('1');
    expect([status, shape(retry)]).toMatchObject([503, { status: 201, replayed: undefined }]);
  });

  it('replays a 201 for the row that a lost attempt left, and 409 each time for one of other fields', async () => {
    const key = randomUUID();
    const registration = buildRegistration();
    const lost = post(registration, key, unconfirmed);
    await inFlight(key);
    // As the consumer of a process that has died since would have left it.
    await insertUser(service.env, registration);

    await ageIdempotencyLock(service.env, key);
    const own = [await post(registration, key), await post(registration, key)];
    const other = { ...registration, lastName: 'Mallory' };
    const otherKey = randomUUID();
    const others = [await post(other, otherKey), await post(other, otherKey)];
    await lost;

    expect(own.map(shape)).toMatchObject(Array(2).fill({ status: 201, replayed: 'true' }));
    expect(others.map(shape)).toEqual(Array(2).fill({ status: 409, replayed: undefined, body: REGISTERED }));
    expect(others[0]?.headers['retry-after']).toBeUndefined();
  });

  it('answers 422 to another registration, with the CORS headers', async () => {
    const key = randomUUID();
    await post(buildRegistration(), key);

    const answer = await sendBody(JSON.stringify(buildRegistration()), {
      'Idempotency-Key': key,
      Origin: 'http://localhost:5173',
    });

    expect(shape(answer)).toEqual({
      status: 422,
      replayed: undefined,
      body: { success: false, error: 'Idempotency-Key was used with another registration' },
    });
    expect(answer.headers['access-control-allow-origin']).toBe('http://localhost:5173');
    expect(answer.headers['access-control-expose-headers']).toContain('Idempotency-Replayed');
  });

  const json = 'application/json';
  it.each([
    ['breaks a rule', 400, JSON.stringify(buildRegistration({ sex: 'x' })), json],
    ['is missing', 400, '', json],
    ['is malformed, read directly', 400, '{"firstName":', json],
    ['is malformed, read by Express', 400, '{"firstName":', `${json}; charset=UTF-8`],
    ['is no UTF-8', 400, Buffer.from('{"firstName":"Zoë"}', 'latin1'), json],
    ['is too large', 413, `{"x":"${'x'.repeat(17_000)}"}`, json],
    ['is of another type', 415, '{}', 'text/plain'],
  ])('answers as without a key when the body %s; the key stays free', async (_what, status, body, type) => {
    const key = randomUUID();
    const headers = { 'Content-Type': type };

    const withoutKey = await sendBody(body, headers);
    const withKey = await sendBody(body, { ...headers, 'Idempotency-Key': key });
    const withBadKey = await sendBody(body, { ...headers, 'Idempotency-Key': '' });

    expect([withKey, withBadKey].map(shape)).toEqual([shape(withoutKey), shape(withoutKey)]);
    expect(withoutKey.status).toBe(status);
    expect(await inRedis(key)).toEqual({});
  });

  it.each([
    ['empty', ''],
    ['longer than 255', 'k'.repeat(256)],
    ['with a blank', 'a b'],
    ['with a tab', 'a\tb'],
    ['not ASCII', 'schlüssel'],
    ['given twice', ['a', 'b']],
  ])('answers 400 when the key is %s', async (_what, key) => {
    const answer = await sendBody(JSON.stringify(buildRegistration()), { 'Idempotency-Key': key });

    expect(shape(answer)).toEqual({
      status: 400,
      replayed: undefined,
      body: {
        success: false,
        error: 'Validation error: Idempotency-Key must be 1 to 255 visible ASCII characters without blanks',
      },
    });
  });

  it.each([
    ['one character', '!'],
    ['255', `"${'~'.repeat(253)}"`],
  ])('takes a key of %s', async (_what, key) => {
    const registration = buildRegistration();

    const answers = [await post(registration, key), await post(registration, key)];

    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });

  it('leaves requests without a key alone', async () => {
    await withRedis(service.env, async (redis) => {
      const before = await redis.keys('idempotency:*');

      await service.http.post('/api/users').send(buildRegistration()).expect(201);

      expect((await redis.keys('idempotency:*')).sort()).toEqual(before.sort());
    });
  });
});
