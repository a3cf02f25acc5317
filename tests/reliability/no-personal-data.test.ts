import { createHash, randomUUID } from 'node:crypto';
import type { RequestOptions } from 'node:http';
import { inspect } from 'node:util';
import type { Registration } from '../../src/domain/registration';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService } from '../support/harness';
import { drained, produce } from '../support/kafka-tools';
import { RawConnection } from '../support/raw-connection';
import { send, type RawAnswer } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, withRedis, type Env } from '../support/test-servers';
import { TraceCollector } from '../support/trace-collector';

// Stands, once per place, in everything that is submitted. What is found again shows the place it came from.
const MARK = `mark${randomUUID().slice(0, 8)}`;
const FOUND = new RegExp(`${MARK}\\w*`, 'gi');

// Short: only then JSON.parse() quotes all of it.
const MALFORMED = `{${MARK}malformed`;
const API_KEY = `${MARK}apikey`;
const READER = { Authorization: `Bearer ${API_KEY}` };
const ADMIN_API_KEY = `${MARK}adminkey`;
const ADMIN = { Authorization: `Bearer ${ADMIN_API_KEY}` };
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
// More than all other requests of this test.
const RATE_LIMIT = 150;
const JSON_TYPE = { 'Content-Type': 'application/json' };

let env: Env;
let service: ServiceProcess;
let collector: TraceCollector;
const errorAnswers: RawAnswer[] = [];

function marked(place: string) {
  return buildRegistration({
    firstName: `${MARK}first${place}`,
    lastName: `${MARK}last${place}`,
    email: `${MARK}mail${place}@${MARK}domain.example.com`,
    occupation: `${MARK}occupation${place}`,
  });
}

async function ask(
  status: number,
  path: string,
  options: RequestOptions = {},
  body?: string,
): Promise<RawAnswer> {
  const answer = await send(`${service.url}${path}`, options, body);
  expect({ path, status: answer.status }).toEqual({ path, status });
  if (status >= 400) errorAnswers.push(answer);
  return answer;
}

const post = (
  status: number,
  body: unknown,
  headers: Record<string, string | number> = {},
  path = '/api/users',
): Promise<RawAnswer> =>
  ask(
    status,
    path,
    { method: 'POST', headers: { ...JSON_TYPE, ...headers } },
    typeof body === 'string' ? body : JSON.stringify(body),
  );

const get = (status: number, path: string): Promise<RawAnswer> => ask(status, path, { headers: READER });

const logged = (text: string) => eventually(() => expect(service.output).toContain(text));

async function stored() {
  const registration = marked('stored');
  await post(201, registration);
  await drained(env);
  await get(200, `/api/users/${registration.email}`);
  await get(200, `/api/users/${registration.email}/status`);
  await post(409, { ...registration, firstName: `${MARK}other` });
  await post(201, marked('second'));
  await drained(env);
  const { headers } = await get(200, '/api/users?limit=1');
  await get(200, /<(.+)>/.exec(String(headers['link']))?.[1] ?? '');
  return registration;
}

async function rejectedByTheApi(): Promise<void> {
  const valid = marked('rejected');
  const bad: object[] = [
    { firstName: `${MARK}long`.repeat(20) },
    { firstName: `${MARK}control\u0007` },
    { lastName: { name: `${MARK}object` } },
    { lastName: [`${MARK}array`] },
    { email: `${MARK}noaddress` },
    { email: `${MARK}two@@${MARK}ats.example.com` },
    { gender: `${MARK}gender` },
    { sex: `${MARK}sex` },
    { occupation: `${MARK}bidi\u202e` },
  ];
  for (const fields of bad) await post(400, { ...valid, ...fields });
  await post(400, MALFORMED);
  await post(400, `{"email":"${valid.email}","firstName":${MARK}malformed`);
  await post(400, JSON.stringify(`${MARK}string`));
  await post(400, JSON.stringify([valid]));
  await post(413, { ...valid, occupation: MARK.repeat(2000) });
  await post(415, valid, { 'Content-Type': `text/${MARK}` });
  await post(415, valid, { 'Content-Type': `application/json; charset=${MARK}` });
  await post(415, valid, { 'Content-Encoding': MARK });
  await post(404, valid, {}, `/api/${MARK}path`);
}

async function withAnIdempotencyKey(): Promise<void> {
  const registration = marked('keyed');
  const keyed = { 'Idempotency-Key': `${MARK}key` };
  await post(201, registration, keyed);
  expect((await post(201, registration, keyed)).headers).toHaveProperty('idempotency-replayed');
  await post(422, { ...registration, lastName: `${MARK}otherbody` }, keyed);
  await post(400, { ...registration, sex: `${MARK}sex` }, { 'Idempotency-Key': `${MARK}keyofinvalid` });
  await post(400, registration, { 'Idempotency-Key': `${MARK}key with blanks` });
  // Redis rejects reading this one; the error of its client holds the command with its arguments.
  const broken = `${MARK}brokenkey`;
  await withRedis(env, (redis) => redis.set(`idempotency:${sha256(broken)}`, `${MARK}string`));
  await post(201, marked('brokenkey'), { 'Idempotency-Key': broken });
  await drained(env);
}

async function rejectedBySize(): Promise<void> {
  const headers = Object.fromEntries(
    Array.from({ length: 120 }, (_, index) => [`X-${MARK}-${index}`, `${MARK}header`]),
  );
  await ask(431, '/api/users', { headers });
  await ask(431, '/api/users', { headers: { 'X-Long': MARK.repeat(2000) } });
}

async function rejectedByTheRateLimit(email: string): Promise<void> {
  const headers = { 'X-Forwarded-For': '203.0.113.9' };
  const path = `/api/users/${email}/status?email=${email}`;
  for (let count = 0; count < RATE_LIMIT; count += 1) await ask(200, path, { headers });
  await ask(429, path, { headers });
}

async function rejectedByPath(email: string): Promise<void> {
  await get(404, `/api/${email}`);
  await get(404, `/${MARK}path/${email}?email=${email}`);
  await get(404, `/api/users/unknown-${email}`);
  await get(400, `/api/users/${MARK}noaddress`);
  await get(400, `/api/users/%E0%A4%A${MARK}`);
  await get(400, `/api/users?limit=${MARK}&email=${email}`);
  await get(400, `/api/users?cursor=${MARK}cursor`);
  await get(400, `/api/users?cursor=${Buffer.from(`${MARK}cursor,1`).toString('base64url')}`);
  await get(404, `/api/users/unknown-${email}/status`);
  await get(400, `/api/users/${MARK}noaddress/status`);
  await ask(401, `/api/users/${email}`, { headers: { Authorization: `Bearer ${MARK}wrongkey` } });
  await ask(405, `/api/users/${email}`, { method: 'PUT', headers: { Cookie: `name=${MARK}cookie` } });
}

async function erased(): Promise<void> {
  const { email } = marked('erased');
  const erase = (status: number, headers: object, path = email) =>
    ask(status, `/api/users/${path}`, { method: 'DELETE', headers: { ...headers } });
  await post(201, { ...marked('erased') });
  await drained(env);
  await erase(401, {});
  await erase(403, READER);
  await erase(400, ADMIN, `${MARK}noaddress`);
  await erase(409, ADMIN);
  await sql(env, `UPDATE users SET created_at = created_at - interval '1 minute' WHERE email = $1`, [email]);
  expect((await erase(200, ADMIN)).body).toContain('"row":true');
  await logged('user erased');
  // Accepted before the erasure and read again: refused.
  await produce(env, [record(marked('erased'), { headers: { 'accepted-at': '2026-01-01T00:00:00.000Z' } })]);
  await drained(env);
}

const record = (registration: Record<keyof Registration, string>, overrides: object = {}) => ({
  key: registration.email,
  value: JSON.stringify(registration),
  headers: { 'event-id': randomUUID() },
  ...overrides,
});

async function plantedInKafka(email: string): Promise<void> {
  await produce(env, [
    record({ ...marked('conflict'), email }),
    record(marked('invalid'), { value: MALFORMED }),
    record({ ...marked('invalid'), gender: `${MARK}gender` }),
    record(marked('invalid'), { key: `${MARK}otherkey` }),
    record(marked('invalid'), { value: null }),
  ]);
  await drained(env);
}

/** By a constraint, whose error names the whole row in `detail`, and by a trigger that quotes what it likes. */
async function rejectedByPostgres(): Promise<void> {
  const [byConstraint, byTrigger, again] = [marked('constraint'), marked('trigger'), marked('badkey')];
  await sql(
    env,
    `ALTER TABLE users ADD CHECK (first_name NOT LIKE '%constraint' AND first_name NOT LIKE '%badkey')`,
  );
  await sql(
    env,
    `CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.first_name LIKE '%code' THEN RAISE EXCEPTION 'no % here', NEW.email USING ERRCODE = 'U0001'; END IF;
        RAISE EXCEPTION 'no % here', NEW.email USING DETAIL = NEW.first_name, HINT = NEW.last_name; END $$`,
  );
  await sql(
    env,
    `CREATE TRIGGER reject BEFORE INSERT ON users FOR EACH ROW
      WHEN (NEW.first_name LIKE '%trigger' OR NEW.first_name LIKE '%code') EXECUTE FUNCTION reject()`,
  );
  await post(201, byConstraint);
  await post(201, byTrigger);
  await post(201, marked('code'));
  // Redis rejects reading this reservation; the error of its client holds the command with its arguments.
  await withRedis(env, (redis) => redis.lpush(`user:pending:${again.email}`, `${MARK}list`));
  await produce(env, [record(again)]);
  await drained(env);
  await logged('could not mark failed registrations in Redis');
  expect((await get(200, `/api/users/${byConstraint.email}/status`)).body).toContain('"failed"');
}

/** Nothing is wrong with the data then: it is tried again, and the log says why. The error's `detail` holds the whole row. */
async function heldUpByPostgres(): Promise<void> {
  await sql(env, `ALTER TABLE users ADD COLUMN tenant text NOT NULL DEFAULT 'x'`);
  await sql(env, 'ALTER TABLE users ALTER COLUMN tenant DROP DEFAULT');
  await post(201, marked('tenant'));
  await logged('SQLSTATE 23502, tenant');
  await sql(env, 'ALTER TABLE users DROP COLUMN tenant');
  await drained(env);
}

async function brokenInRedis(email: string): Promise<void> {
  const [pending, list] = [marked('pending'), marked('list')];
  await withRedis(env, async (redis) => {
    await redis.set(`user:completed:${email}`, MALFORMED);
    await redis.set(`user:pending:${pending.email}`, MALFORMED);
    await redis.lpush(`user:pending:${list.email}`, `${MARK}list`);
  });
  await get(200, `/api/users/${email}`);
  await post(409, pending);
  await post(201, list);
  await drained(env);
}

async function withPostgresUnavailable(email: string): Promise<void> {
  const waiting = marked('waiting');
  await withRedis(env, (redis) => redis.del(`user:completed:${email}`));
  await sql(env, 'ALTER TABLE users RENAME TO users_away');
  await post(201, waiting);
  await post(201, waiting);
  await post(409, { ...waiting, lastName: `${MARK}different` });
  await get(503, `/api/users/${email}`);
  await get(503, `/api/users/unknown-${email}/status`);
  expect((await get(200, `/api/users/${waiting.email}/status`)).body).toContain('"pending"');
  await logged('batch write failed, retrying');
  await sql(env, 'ALTER TABLE users_away RENAME TO users');
  await drained(env);
}

/** A bug: reading meets an error that only writing may. It quotes the row. */
async function crashed(): Promise<void> {
  await sql(env, 'ALTER TABLE users RENAME TO users_away');
  await sql(
    env,
    `CREATE FUNCTION quote(name text) RETURNS text LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no % here', name USING DETAIL = name, HINT = name; END $$`,
  );
  await sql(
    env,
    `CREATE VIEW users AS SELECT id, quote(first_name) AS first_name, last_name, email, gender, sex, occupation,
      created_at, updated_at FROM users_away`,
  );
  await eventually(() => get(500, '/api/users'));
  await logged('request failed');
  await sql(env, 'DROP VIEW users');
  await sql(env, 'ALTER TABLE users_away RENAME TO users');
}

describe.each(['production', 'development'])('in %s, at LOG_LEVEL=debug, traced', (mode) => {
  let metrics: string;

  beforeAll(async () => {
    env = await isolatedServers();
    collector = await TraceCollector.start();
    service = await ServiceProcess.start({
      ...env,
      ...collector.env,
      NODE_ENV: mode,
      LOG_LEVEL: 'debug',
      API_KEYS: `reader:${sha256(API_KEY)}`,
      ADMIN_API_KEYS: `officer:${sha256(ADMIN_API_KEY)}`,
      TRUST_PROXY: '1',
      RATE_LIMIT_MAX: String(RATE_LIMIT),
    });
    errorAnswers.length = 0;
    const { email } = await stored();
    await rejectedByTheApi();
    await rejectedByPath(email);
    await rejectedBySize();
    await withAnIdempotencyKey();
    await plantedInKafka(email);
    await erased();
    await rejectedByPostgres();
    await heldUpByPostgres();
    await brokenInRedis(email);
    await withPostgresUnavailable(email);
    await crashed();
    await rejectedByTheRateLimit(email);
    const metricsPort = /"metricsPort":(\d+)/.exec(service.output)?.[1] ?? '';
    metrics = (await send(`http://127.0.0.1:${metricsPort}/metrics`)).body;
    expect(await service.stop()).toBe(0);
  }, 60_000);

  it('the log holds nothing that was submitted', () => {
    for (const line of ['request', 'kafkajs:', 'dead letter', 'batch write failed, retrying', 'stopped']) {
      expect(service.output).toContain(line);
    }
    for (const reason of ['conflict', 'invalid', 'unstorable']) expect(service.output).toContain(reason);
    expect(service.output.match(FOUND)).toBeNull();
  });

  it('nor do the spans', () => {
    expect(new Set(collector.spans.map(({ name }) => name.split(' ')[0]))).toEqual(
      new Set(['GET', 'POST', 'PUT', 'DELETE', 'send', 'process', 'INSERT']),
    );
    expect(collector.bodies.join('\n').match(FOUND)).toBeNull();
  });

  it('nor the metrics', () => {
    expect(metrics).toContain('registration_dead_letters_total{reason="unstorable"} 4');
    expect(metrics).toContain('registration_rejected_writes_total{sqlstate="23502",constraint="tenant"}');
    expect(metrics).toContain('registration_erased_records_total 1');
    expect(metrics.match(FOUND)).toBeNull();
  });

  it('nor any error response, its headers included', () => {
    expect(new Set(errorAnswers.map(({ status }) => status))).toEqual(
      new Set([400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 431, 500, 503]),
    );
    const texts = errorAnswers.map(({ headers, body }) => JSON.stringify(headers) + body);
    expect(texts.join('\n').match(FOUND)).toBeNull();
  });
});

it('a request that never ends leaves nothing either', async () => {
  const limits = { headersTimeoutMs: 200, requestTimeoutMs: 200, checkIntervalMs: 20 };
  const { url, log } = await startService({}, { httpLimits: limits });

  const slow = await RawConnection.exchange(
    url,
    `POST /api/users?email=${MARK} HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\nX-A: ${MARK}\r\nContent-Length: 999\r\n\r\n{${MARK}`,
  );

  expect(slow.statuses).toEqual([408]);
  expect(slow.received.match(FOUND)).toBeNull();
  expect(inspect(log.lines, { depth: null }).match(FOUND)).toBeNull();
});
