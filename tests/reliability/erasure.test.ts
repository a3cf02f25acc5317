import { createHash } from 'node:crypto';
import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import { SHARE_WRITER_LOCK } from '../../src/postgres/insert-missing';
import { buildEvent, buildRegistration } from '../support/builders';
import { resetClock, setClock } from '../support/clock';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import { holdLock } from '../support/held-lock';
import { deadLettersIn, drained, lag, produce, withAdmin } from '../support/kafka-tools';
import { useOwnServer } from '../support/outage';
import { send } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, withRedis, type Env } from '../support/test-servers';
import { dlq } from '../support/tool-run';

const ADMIN_API_KEYS = `dpo:${createHash('sha256').update('secret').digest('hex')}`;
const ADMIN = { Authorization: 'Bearer secret' };
const MINUTE_MS = 60_000;

const erase = async ({ http }: TestService, email: string): Promise<unknown> =>
  ((await http.delete(`/api/users/${email}`).set(ADMIN).expect(200)).body as { data: unknown }).data;

function recordOf(registration: Registration, eventId = 'old'): Message {
  const acceptedAt = new Date(Date.now() - MINUTE_MS).toISOString();
  const headers = { 'event-id': eventId, 'accepted-at': acceptedAt };
  return { key: registration.email, value: JSON.stringify(registration), headers };
}

/** Stores what was accepted a minute ago, as if it had been inserted then. */
async function storeOld(env: Env, ...registrations: Registration[]): Promise<void> {
  await produce(
    env,
    registrations.map((registration) => recordOf(registration)),
  );
  await drained(env);
  const emails = registrations.map(({ email }) => email);
  await sql(env, `UPDATE users SET created_at = created_at - interval '1 minute' WHERE email = ANY ($1)`, [
    emails,
  ]);
}

const firstNames = async (env: Env, { email }: Registration): Promise<unknown[]> =>
  (await sql(env, 'SELECT first_name FROM users WHERE email = $1', [email])).map((row) => row['first_name']);

const fromTheBeginning = (env: Env): Promise<void> =>
  withAdmin(env, (admin) =>
    admin.resetOffsets({
      groupId: env['KAFKA_GROUP_ID'] ?? '',
      topic: env['KAFKA_TOPIC'] ?? '',
      earliest: true,
    }),
  );

const ROWS = 'SELECT email, first_name FROM users';

/** By a process whose clock is that much off. */
async function registerAnew(
  { http }: TestService,
  registration: Registration,
  skewMs: number,
): Promise<void> {
  setClock(Date.now() + skewMs);
  await http
    .post('/api/users')
    .send({ ...registration, firstName: 'Anew' })
    .expect(201)
    .then(resetClock, (error: unknown) => {
      resetClock();
      throw error;
    });
}

describe('who was erased', () => {
  it('comes back neither by a replay, nor by offsets at the beginning, nor by a new group; only anew', async () => {
    const service = await startService({ ADMIN_API_KEYS });
    const { env } = service;
    const [erased, other] = [buildRegistration(), buildRegistration()];
    const [behind, ahead] = [buildRegistration(), buildRegistration()];
    await storeOld(env, erased, other, behind, ahead, { ...erased, firstName: 'Loser' });
    await service.http.get(`/api/users/${erased.email}`).expect(200);

    for (const { email } of [erased, behind, ahead])
      expect(await erase(service, email)).toMatchObject({ row: true, finished: true });
    await service.http.get(`/api/users/${erased.email}`).expect(404);
    await registerAnew(service, behind, -4000);
    await registerAnew(service, ahead, 4000);

    const replay = await dlq(env, 'replay');
    await drained(env);
    expect(replay.stdout).toContain('1 dead letter: 0 sent, 1 skipped');
    await service.stop();
    await sql(env, 'TRUNCATE users');
    await fromTheBeginning(env);
    const again = await startUnready({ ...env, ADMIN_API_KEYS });
    await drained(env);
    const metrics = await (await fetch(`${again.metricsUrl}/metrics`)).text();
    const rows = await sql(env, ROWS);
    await again.stop();
    await sql(env, 'TRUNCATE users');
    const newGroup = await startUnready({ ...env, KAFKA_GROUP_ID: `${env['KAFKA_GROUP_ID'] ?? ''}-new` });
    await drained(newGroup.env);

    expect(metrics).toMatch(/^registration_erased_records_total 4$/m);
    expect(new Set(rows)).toEqual(
      new Set([
        { email: other.email, first_name: 'John' },
        { email: behind.email, first_name: 'Anew' },
        { email: ahead.email, first_name: 'Anew' },
      ]),
    );
    expect(new Set(await sql(env, ROWS))).toEqual(new Set(rows));
    expect((await deadLettersIn(env)).map(({ key }) => key)).toEqual([erased.email]);
    expect(await withRedis(env, (redis) => redis.keys(`*${erased.email}`))).toEqual([]);
    await newGroup.stop();
  });

  it('is not stored later from the lag, whether the registration is old or still pending', async () => {
    const env = await isolatedServers();
    const api = await startService({ ...env, ADMIN_API_KEYS, CONSUMER_ENABLED: 'false' });
    const [old, pending, anew] = [buildRegistration(), buildRegistration(), buildRegistration()];
    for (let part = 0; part < 5; part += 1) {
      const others = Array.from({ length: 2000 }, () => buildRegistration());
      await produce(
        env,
        others.map((registration) => recordOf(registration)),
      );
    }
    await produce(env, [recordOf(old)]);
    for (const registration of [pending, anew, pending])
      await api.http.post('/api/users').send(registration).expect(201);

    expect(await lag(env)).toBeGreaterThan(10_000);
    for (const { email } of [old, pending, anew])
      expect(await erase(api, email)).toMatchObject({ row: false, finished: true });
    const again = { ...anew, firstName: 'Again' };
    await api.http.post('/api/users').send(again).expect(201);
    const consumer = await startUnready(env);
    await drained(env);

    expect(await sql(env, 'SELECT count(*)::int AS n FROM users')).toEqual([{ n: 10_001 }]);
    expect([await firstNames(env, old), await firstNames(env, pending)]).toEqual([[], []]);
    expect(await firstNames(env, again)).toEqual(['Again']);
    expect(await deadLettersIn(env)).toEqual([]);
    await Promise.all([api.stop(), consumer.stop()]);
  });
});

describe('erasure while Redis is not there, or is not what it was', () => {
  const redis = useOwnServer('redis', {
    durable: true,
    variables: { ADMIN_API_KEYS },
    overrides: { sweepIntervalMs: 200 },
  });

  /** A person with a row, a cached one, and a reservation that was left. */
  async function known(): Promise<Registration> {
    const { service } = redis;
    const registration = buildRegistration();
    await storeOld(service.env, registration);
    await service.http.get(`/api/users/${registration.email}`).expect(200);
    await leaveReservation(registration);
    return registration;
  }

  const leaveReservation = (registration: Registration): Promise<unknown> =>
    withRedis(redis.service.env, (client) => {
      const acceptedAt = new Date(Date.now() - MINUTE_MS).toISOString();
      const event = buildEvent({ registration, acceptedAt });
      return client.set(`user:pending:${registration.email}`, JSON.stringify(event), 'EX', 3600);
    });

  /** Within what the service promises there, though it sweeps more often here. */
  const untilClean = ({ email }: Registration): Promise<void> =>
    eventually(async () => {
      expect(await withRedis(redis.service.env, (client) => client.keys(`*${email}`))).toEqual([]);
      await redis.service.http.get(`/api/users/${email}`).expect(404);
    });

  it('is done without a killed Redis, which is cleaned when it comes back with what it held', async () => {
    const registration = await known();
    await redis.server.kill();
    await redis.untilUnhealthy();

    const erased = await erase(redis.service, registration.email);
    const meanwhile = await redis.service.http.get(`/api/users/${registration.email}`);
    await redis.server.restart();

    expect(erased).toMatchObject({ row: true, finished: false });
    expect(meanwhile.status).toBe(404);
    await untilClean(registration);
    await redis.untilHealthy();
    await redis.service.http.post('/api/users').send(registration).expect(201);
  });

  it('is answered in time while Redis is frozen, and finished when it is back', async () => {
    const registration = await known();
    await redis.server.freeze();

    const erased = await erase(redis.service, registration.email);
    await redis.server.thaw();

    expect(erased).toMatchObject({ row: true, finished: false });
    await untilClean(registration);
    await redis.untilHealthy();
  });

  it('is finished by another process when its own dies between PostgreSQL and a frozen Redis', async () => {
    const registration = await known();
    const { env } = redis.service;
    const other = await ServiceProcess.start({ ...env, CONSUMER_ENABLED: 'false' });
    const writer = await holdLock(env, `BEGIN; ${SHARE_WRITER_LOCK}`);

    const url = `${other.url}/api/users/${registration.email}`;
    const erasing = send(url, { method: 'DELETE', headers: ADMIN }).catch(() => undefined);
    await writer.untilSomeoneWaits();
    await redis.server.freeze();
    await writer.release();
    await eventually(async () => expect(await firstNames(env, registration)).toEqual([]));
    other.signal('SIGKILL');
    await redis.server.thaw();

    expect(await erasing).toBeUndefined();
    await untilClean(registration);
  });

  it('is repeated when Redis comes back with older data, long after it was finished', async () => {
    const registration = await known();
    const { env } = redis.service;
    const old = await withRedis(env, (client) => client.get(`user:completed:${registration.email}`));
    await erase(redis.service, registration.email);
    // Its age is far from having doubled: only the new connection tells that something may have come back.
    await sql(
      env,
      `UPDATE erasures SET recorded_at = now() - interval '30 seconds', swept_at = now()
       WHERE email = $1`,
      [registration.email],
    );

    await withRedis(env, (client) => client.set(`user:completed:${registration.email}`, old ?? ''));
    await leaveReservation(registration);
    await redis.service.http.get(`/api/users/${registration.email}`).expect(200);
    await withRedis(env, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));

    await untilClean(registration);
  });

  it('takes away what a reader that was under way has put back', async () => {
    const registration = await known();
    const { env } = redis.service;
    const old = await withRedis(env, (client) => client.get(`user:completed:${registration.email}`));
    await erase(redis.service, registration.email);
    await withRedis(env, (client) => client.set(`user:completed:${registration.email}`, old ?? ''));

    await untilClean(registration);
  });
});
