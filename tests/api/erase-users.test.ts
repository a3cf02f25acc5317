import { createHash } from 'node:crypto';
import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, startUnready, type TestService } from '../support/harness';
import { drained } from '../support/kafka-tools';
import { insertUser, sql, UNREACHABLE, withRedis } from '../support/test-servers';

const listOf = (key: string): string => `${key}:${createHash('sha256').update(key).digest('hex')}`;
const ADMIN = { Authorization: 'Bearer dpo' };
const READER = { Authorization: 'Bearer crm' };

let service: TestService;

beforeAll(async () => {
  service = await startService({ API_KEYS: listOf('crm'), ADMIN_API_KEYS: listOf('dpo') });
});

const erase = (email: string, headers: object = ADMIN) =>
  service.http.delete(`/api/users/${email}`).set({ ...headers });

/** Stores a row by hand that is old enough to be erased. */
async function storeOld(email: string): Promise<void> {
  await insertUser(service.env, buildRegistration({ email }));
  await sql(service.env, `UPDATE users SET created_at = '2026-01-02' WHERE email = $1`, [email]);
}

const metric = async (name: string): Promise<number> => {
  const text = await (await fetch(`${service.metricsUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
};

describe('DELETE /api/users/:email', () => {
  it('erases: the row, the cache, the reservation and the mark; and the email is free again', async () => {
    const email = uniqueEmail();
    await storeOld(email);
    await service.http.get(`/api/users/${email}`).set(READER).expect(200);
    const event = { eventId: 'e', acceptedAt: new Date().toISOString(), registration: { email } };
    await withRedis(service.env, async (redis) => {
      await redis.set(`user:pending:${email}`, JSON.stringify(event));
      await redis.set(`user:failed:${email}`, '{"reason":"invalid"}');
    });

    const { body, headers } = await erase(email).expect(200);

    expect(body).toEqual({
      success: true,
      message: 'User erased',
      data: { email, erasedAt: expect.stringMatching(/^20\S+Z$/) as string, row: true, finished: true },
    });
    // 30 days, the seven of a segment, and one for the rest of the day.
    const days = (Date.parse(String(headers['kafka-copies-end'])) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(37);
    expect(days).toBeLessThanOrEqual(38);
    await service.http.get(`/api/users/${email}`).set(READER).expect(404);
    await service.http.get(`/api/users/${email}/status`).expect(404);
    const keys = ['pending', 'completed', 'failed'].map((name) => `user:${name}:${email}`);
    const left = withRedis(service.env, (redis) => Promise.all(keys.map((key) => redis.exists(key))));
    expect(await left).toEqual([0, 0, 0]);

    await service.http.post('/api/users').send(buildRegistration({ email })).expect(201);
    await eventually(() => service.http.get(`/api/users/${email}`).set(READER).expect(200));
  });

  it('is not undone by the replay of a 201 that an Idempotency-Key has kept', async () => {
    const registration = buildRegistration();
    const { email } = registration;
    const post = () =>
      service.http.post('/api/users').set('Idempotency-Key', email).send(registration).expect(201);
    await post();
    await drained(service.env);
    await sql(service.env, `UPDATE users SET created_at = '2026-01-02' WHERE email = $1`, [email]);
    await erase(email).expect(200);

    const { headers } = await post();

    expect(headers['idempotency-replayed']).toBe('true');
    await drained(service.env);
    await service.http.get(`/api/users/${email}`).set(READER).expect(404);
  });

  it('leaves one line in the log with the name of the key, and counts; no email is stored but in the table', async () => {
    const email = uniqueEmail();
    const before = await metric('registration_erasures_total');

    await erase(email, { ...ADMIN, 'X-Request-Id': 'erasure-7' }).expect(200);

    expect(service.log.lines).toContainEqual({
      level: 'info',
      message: 'user erased',
      ...{ requestedBy: 'dpo', requestId: 'erasure-7', row: false, finished: true },
    });
    expect(JSON.stringify(service.log.lines)).not.toContain(email);
    expect(await metric('registration_erasures_total')).toBe(before + 1);
    expect(await metric('registration_erasures_unfinished')).toBe(0);
  });

  it.each([
    [
      'as POST takes it',
      (name: string) => `%20${name.toUpperCase()}@B%C3%9CCHER.example`,
      'xn--bcher-kva.example',
    ],
    ['percent-encoded', (name: string) => `${name}%40example.com`, 'example.com'],
  ])('takes an email %s, known or not, and answers the canonical one', async (_how, spell, domain) => {
    const [name = ''] = uniqueEmail().split('@');

    const { body } = await erase(spell(name)).expect(200);

    expect(body).toMatchObject({ data: { email: `${name}@${domain}`, row: false, finished: true } });
  });

  it.each(['nobody', 'john%2540example.com', '%E0%A4%A', 'a@b@example.com', 'john@example.com%00'])(
    'rejects %s',
    async (text) => {
      await erase(text).expect(400);
    },
  );

  it('is safe to repeat, also at the same time', async () => {
    const email = uniqueEmail();
    await storeOld(email);

    const answers = await Promise.all(Array.from({ length: 10 }, () => erase(email).expect(200)));

    const bodies = answers.map(({ body }) => body as { data: { row: boolean; erasedAt: string } });
    expect(bodies.filter(({ data }) => data.row)).toHaveLength(1);
    const again = (await erase(email).expect(200)).body as { data: { erasedAt: string } };
    for (const { data } of bodies) expect(again.data.erasedAt >= data.erasedAt).toBe(true);
  });

  it('waits with a row that is younger than ten seconds', async () => {
    const registration = buildRegistration();
    await insertUser(service.env, registration);

    const { body } = await erase(registration.email).expect(409).expect('Retry-After', '10');

    expect(body).toEqual({ success: false, error: 'User registered a moment ago, please retry' });
    await service.http.get(`/api/users/${registration.email}`).set(READER).expect(200);
  });

  it('is for holders of ADMIN_API_KEYS, who may read, too; asked before anything else', async () => {
    const email = uniqueEmail();
    await storeOld(email);

    for (const path of [email, 'nobody']) {
      await erase(path, {}).expect(401).expect('WWW-Authenticate', 'Bearer realm="users"');
      await erase(path, { Authorization: 'Bearer other' }).expect(401);
      const { body } = await erase(path, READER).expect(403);
      expect(body).toEqual({ success: false, error: 'This API key may not erase' });
    }
    await service.http.get(`/api/users/${email}`).set(ADMIN).expect(200);
    await service.http.get('/api/users').set(ADMIN).expect(200);
    await service.http.get('/api/users').expect(401);
  });

  it('is no method for pages of other origins', async () => {
    const preflight = service.http.options('/api/users/a@example.com').set({
      Origin: 'http://localhost:5173',
      'Access-Control-Request-Method': 'DELETE',
    });

    await preflight.expect(204).expect('Access-Control-Allow-Methods', 'GET,HEAD,POST');
    await service.http
      .put('/api/users/a@example.com')
      .expect(405)
      .expect('Allow', 'GET, HEAD, DELETE, OPTIONS');
    await service.http.delete('/api/users').set(ADMIN).expect(405);
  });
});

describe('DELETE /api/users/:email, elsewhere', () => {
  it('is 503 without PostgreSQL, and ADMIN_API_KEYS alone ask nobody for a key to read', async () => {
    const { http } = await startUnready({ ...UNREACHABLE, ADMIN_API_KEYS: listOf('dpo') });

    await http.delete('/api/users/a@example.com').set(ADMIN).expect(503).expect('Retry-After', '2');
    await http.get('/api/users').expect(503);
    await http.delete('/api/users/a@example.com').expect(401);
  });

  it('does not exist without ADMIN_API_KEYS', async () => {
    const { http } = await startUnready({ ...UNREACHABLE, API_KEYS: listOf('crm') });

    for (const headers of [{}, READER, ADMIN])
      await http
        .delete('/api/users/a@example.com')
        .set(headers)
        .expect(405)
        .expect('Allow', 'GET, HEAD, OPTIONS');
  });
});
