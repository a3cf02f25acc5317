import { randomUUID } from 'node:crypto';
import { BAD_REGISTRATIONS } from '../support/bad-registrations';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { RecordingQueue } from '../support/fakes';
import { startService, type TestService } from '../support/harness';
import { endIdempotencyMark, idempotencyKeyInRedis } from '../support/idempotency';
import { postJson, send, type RawAnswer } from '../support/raw-http';
import { readAll } from '../support/kafka-tools';
import { sql, withRedis } from '../support/test-servers';

const IN_PROGRESS = { success: false, error: 'A request with this Idempotency-Key is in progress' };
const OTHER_BODY = { success: false, error: 'Idempotency-Key was used with another body' };
const REGISTERED = { success: false, error: 'User already registered' };

let service: TestService;
/** On the same servers; its Kafka confirms at once, stays silent or is full. */
let stubborn: TestService;
const queue = new RecordingQueue();

beforeAll(async () => {
  service = await startService();
  stubborn = await startService({ ...service.env, KAFKA_DELIVERY_TIMEOUT_MS: '2000' }, { queue });
});

beforeEach(() => Object.assign(queue, { isSilent: false, isFull: false }));

const post = (body: unknown, key: string, to = service): Promise<RawAnswer> =>
  postJson(`${to.url}/api/users`, body, { 'Idempotency-Key': key });

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

/** Its row, as the consumer of a process that has died since would have left it. */
const insert = (fields: ReturnType<typeof buildRegistration>) =>
  sql(
    service.env,
    'INSERT INTO users (first_name, last_name, email, gender, sex, occupation) VALUES ($1, $2, $3, $4, $5, $6)',
    [fields.firstName, fields.lastName, fields.email, fields.gender, fields.sex, fields.occupation],
  );

describe('POST /api/users with an Idempotency-Key', () => {
  it('answers 201 again, with Location and Idempotency-Replayed, also when the row is there', async () => {
    const key = randomUUID();
    const registration = buildRegistration();

    const first = await post(registration, key);
    await stored(registration.email);
    const again = await Promise.all([post(registration, key), post(registration, key)]);

    expect(shape(first)).toEqual({
      status: 201,
      replayed: undefined,
      body: {
        success: true,
        message: 'User registration submitted successfully',
        data: { email: registration.email },
      },
    });
    for (const replay of again) {
      expect(shape(replay)).toEqual({ ...shape(first), replayed: 'true' });
      expect(replay.headers['location']).toBe(first.headers['location']);
      expect(replay.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    }
    const records = await readAll(service.env, service.env['KAFKA_TOPIC'] ?? '');
    expect(records.filter((record) => record.key === registration.email)).toHaveLength(1);
  });

  it('answers 400 again', async () => {
    const key = randomUUID();
    const body = { ...buildRegistration(), email: 'john.doe' };

    const first = await post(body, key);
    const again = await post(body, key);

    expect(shape(first)).toEqual({
      status: 400,
      replayed: undefined,
      body: { success: false, error: 'Validation error: email must be a valid email' },
    });
    expect(shape(again)).toEqual({ ...shape(first), replayed: 'true' });
  });

  it.each(BAD_REGISTRATIONS)('answers 400 again for %s', async (_what, fields, error) => {
    const key = randomUUID();
    const body = { ...buildRegistration(), ...fields };

    const answers = [await post(body, key), await post(body, key)];

    expect(answers.map(shape)).toEqual([
      { status: 400, replayed: undefined, body: { success: false, error } },
      { status: 400, replayed: 'true', body: { success: false, error } },
    ]);
  });

  it.each([
    ['no body', ''],
    ['an array of 8000 arrays', `${'['.repeat(8000)}${']'.repeat(8000)}`],
  ])('answers 400 again for %s', async (_what, body) => {
    const key = randomUUID();
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    const ask = () => send(`${service.url}/api/users`, { method: 'POST', headers }, body);

    const answers = [await ask(), await ask()];

    expect(answers.map(({ status }) => status)).toEqual([400, 400]);
    expect(answers.map(({ headers }) => headers['idempotency-replayed'])).toEqual([undefined, 'true']);
  });

  it('answers 409 again when the e-mail was registered by somebody else, with the same fields or others', async () => {
    const registration = buildRegistration();
    await service.http.post('/api/users').send(registration).expect(201);
    await stored(registration.email);

    for (const body of [registration, { ...registration, firstName: 'Mallory' }]) {
      const key = randomUUID();
      const answers = [await post(body, key), await post(body, key)];

      expect(answers.map(shape)).toEqual([
        { status: 409, replayed: undefined, body: REGISTERED },
        { status: 409, replayed: 'true', body: REGISTERED },
      ]);
      expect(answers[0]?.headers['retry-after']).toBeUndefined();
    }
  });

  it.each([
    ['other fields', (text: string) => text.replace('John', 'Jane')],
    ['other bytes', (text: string) => text.replace('{', '{ ')],
  ])('answers 422 for %s, whatever became of the first body', async (_what, change) => {
    const keys = { valid: randomUUID(), invalid: randomUUID() };
    const registration = buildRegistration();
    const invalid = { ...registration, sex: 'x' };
    await post(registration, keys.valid);
    await post(invalid, keys.invalid);
    const ask = (body: unknown, key: string) =>
      send(
        `${service.url}/api/users`,
        {
          method: 'POST',
          headers: {
            'Content-Type': 'application/json',
            'Idempotency-Key': key,
            Origin: 'http://localhost:5173',
          },
        },
        change(JSON.stringify(body)),
      );

    const answers = [await ask(registration, keys.valid), await ask(invalid, keys.invalid)];

    for (const answer of answers) {
      expect(shape(answer)).toEqual({ status: 422, replayed: undefined, body: OTHER_BODY });
      expect(answer.headers['access-control-allow-origin']).toBe('http://localhost:5173');
      expect(answer.headers['access-control-expose-headers']).toContain('Idempotency-Replayed');
    }
  });

  it('answers 409 with Retry-After while the first is in flight, 422 to another body, and then goes on', async () => {
    queue.isSilent = true;
    const key = randomUUID();
    const registration = buildRegistration();

    const first = post(registration, key, stubborn);
    await eventually(async () => expect(await inRedis(key)).toHaveProperty('attempt'));
    const meanwhile = [await post(registration, key), await post(buildRegistration(), key)];
    const unconfirmed = await first;
    const retry = await post(registration, key);
    const again = await post(registration, key);

    expect(meanwhile.map(shape)).toEqual([
      { status: 409, replayed: undefined, body: IN_PROGRESS },
      { status: 422, replayed: undefined, body: OTHER_BODY },
    ]);
    expect(meanwhile[0]?.headers['retry-after']).toBe('1');
    expect(unconfirmed.status).toBe(503);
    expect(unconfirmed.headers['retry-after']).toBe('2');
    expect([shape(retry), shape(again)]).toMatchObject([
      { status: 201, replayed: undefined },
      { status: 201, replayed: 'true' },
    ]);
  });

  it.each([1, 20])('is worked on once when %i more come at the same time', async (others) => {
    const key = randomUUID();
    const registration = buildRegistration();

    const answers = await Promise.all(Array.from({ length: 1 + others }, () => post(registration, key)));

    const fresh = answers.map(shape).filter(({ replayed }) => replayed === undefined);
    expect(fresh.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(fresh.filter(({ status }) => status !== 201)).toEqual(
      Array(fresh.length - 1).fill({ status: 409, replayed: undefined, body: IN_PROGRESS }),
    );
    await stored(registration.email);
    const records = await readAll(service.env, service.env['KAFKA_TOPIC'] ?? '');
    expect(records.filter((record) => record.key === registration.email)).toHaveLength(1);
  });

  it('takes the row that an earlier attempt left behind for its own: 201, replayed', async () => {
    queue.isSilent = true;
    const key = randomUUID();
    const registration = buildRegistration();
    const cutOff = post(registration, key, stubborn);
    await eventually(async () => expect(await inRedis(key)).toHaveProperty('attempt'));
    await insert(registration);

    const marked = await post(registration, key);
    await endIdempotencyMark(service.env, key);
    const retry = await post(registration, key);
    await cutOff;
    const again = await post(registration, key);

    expect(shape(marked)).toEqual({ status: 409, replayed: undefined, body: IN_PROGRESS });
    expect([retry.status, retry.headers['idempotency-replayed']]).toEqual([201, 'true']);
    expect(shape(again)).toEqual(shape(retry));
  });

  it('answers 409 when the row that it finds has other fields', async () => {
    queue.isSilent = true;
    const key = randomUUID();
    const registration = buildRegistration();
    const first = await post(registration, key, stubborn);
    await insert({ ...registration, firstName: 'Mallory' });

    const retry = await post(registration, key);

    expect(first.status).toBe(503);
    expect(shape(retry)).toEqual({ status: 409, replayed: undefined, body: REGISTERED });
  });

  it('keeps no 503 of a full queue, but the body it was for', async () => {
    queue.isFull = true;
    const key = randomUUID();
    const registration = buildRegistration();

    const refused = await post(registration, key, stubborn);
    const otherBody = await post(buildRegistration(), key);
    const retry = await post(registration, key);

    expect([refused.status, otherBody.status]).toEqual([503, 422]);
    expect([retry.status, retry.headers['idempotency-replayed']]).toEqual([201, undefined]);
  });

  it('keeps no 500', async () => {
    const claim = jest.spyOn(queue, 'claim').mockImplementationOnce(() => {
      throw new TypeError('bug');
    });
    const key = randomUUID();
    const registration = buildRegistration();

    const crashed = await post(registration, key, stubborn);
    const retry = await post(registration, key);

    claim.mockRestore();
    expect(crashed.status).toBe(500);
    expect([retry.status, retry.headers['idempotency-replayed']]).toEqual([201, undefined]);
  });

  it('keeps no 409 of a registration in progress', async () => {
    queue.isSilent = true;
    const key = randomUUID();
    const registration = buildRegistration();
    await post({ ...registration, firstName: 'Jane' }, randomUUID(), stubborn);

    const refused = await post(registration, key);
    await withRedis(service.env, (redis) => redis.del(`user:pending:${registration.email}`));
    const retry = await post(registration, key);

    expect(shape(refused)).toEqual({
      status: 409,
      replayed: undefined,
      body: { success: false, error: 'Registration already in progress' },
    });
    expect([retry.status, retry.headers['idempotency-replayed']]).toEqual([201, undefined]);
  });

  it.each([
    ['read directly', 'application/json', '{"firstName":'],
    ['read by Express', 'application/json; charset=UTF-8', '{"firstName":'],
    ['no UTF-8', 'application/json', Buffer.from('{"firstName":"Zoë"}', 'latin1')],
  ])('keeps and replays the 400 of malformed JSON: %s', async (_what, type, body) => {
    const headers = { 'Content-Type': type, 'Idempotency-Key': randomUUID() };
    const submit = (content: Buffer | string) =>
      send(`${service.url}/api/users`, { method: 'POST', headers }, content);

    const [refused, again, other] = [await submit(body), await submit(body), await submit('{}')];

    const answer = { status: 400, body: { success: false, error: 'Request body is not valid JSON' } };
    expect(shape(refused)).toEqual({ ...answer, replayed: undefined });
    expect(shape(again)).toEqual({ ...answer, replayed: 'true' });
    expect(other.status).toBe(422);
  });

  it.each([
    ['too large', 413, 'application/json', `{"x":"${'x'.repeat(17_000)}"}`],
    ['of another type', 415, 'text/plain', '{}'],
  ])('does not remember a body that is %s', async (_what, status, type, body) => {
    const key = randomUUID();
    const headers = { 'Content-Type': type, 'Idempotency-Key': key };

    const refused = await send(`${service.url}/api/users`, { method: 'POST', headers }, body);

    expect(refused.status).toBe(status);
    expect(await inRedis(key)).toEqual({});
    expect((await post(buildRegistration(), key)).status).toBe(201);
  });

  it.each([
    ['empty', ''],
    ['longer than 255', 'k'.repeat(256)],
    ['with a blank', 'a b'],
    ['with a tab', 'a\tb'],
    ['not ASCII', 'schlüssel'],
    ['given twice', ['a', 'b']],
  ])('answers 400 when the key is %s', async (_what, key) => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };

    const answer = await send(
      `${service.url}/api/users`,
      { method: 'POST', headers },
      JSON.stringify(buildRegistration()),
    );

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

  it('holds neither the key nor what was submitted, for 24 hours', async () => {
    const key = `secret-${randomUUID()}`;
    const registration = buildRegistration({ lastName: 'Unmistakable' });
    const invalid = { ...registration, gender: 'Unmistakable' };

    await post(registration, key);
    await post(invalid, `${key}-invalid`);

    for (const each of [key, `${key}-invalid`]) {
      const text = JSON.stringify(await inRedis(each));
      expect(text).toContain('outcome');
      expect(text).not.toMatch(/secret|Unmistakable/);
      expect(text).not.toContain(registration.email);
      const ttl = await withRedis(service.env, (redis) => redis.ttl(idempotencyKeyInRedis(each)));
      expect(ttl).toBeGreaterThan(86_390);
      expect(ttl).toBeLessThanOrEqual(86_400);
    }
    expect(JSON.stringify(service.log.lines)).not.toContain(key);
  });

  it('leaves requests without a key alone', async () => {
    await withRedis(service.env, async (redis) => {
      const before = await redis.keys('idempotency:*');

      await service.http.post('/api/users').send(buildRegistration()).expect(201);

      expect((await redis.keys('idempotency:*')).sort()).toEqual(before.sort());
    });
  });
});
