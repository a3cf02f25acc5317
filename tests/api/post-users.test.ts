import { gzipSync } from 'node:zlib';
import { BAD_REGISTRATIONS, GOOD_REGISTRATIONS } from '../support/bad-registrations';
import { buildEvent, buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { readAll } from '../support/kafka-tools';
import { send } from '../support/raw-http';
import { sql, withRedis } from '../support/test-servers';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});

const stored = (email: string): Promise<Record<string, unknown>> =>
  eventually(async () => {
    const response = await service.http.get(`/api/users/${encodeURIComponent(email)}`).expect(200);
    return (response.body as { data: Record<string, unknown> }).data;
  });

describe('POST /api/users', () => {
  it('answers 201 as in the README, and the row, the cache and the record follow', async () => {
    const registration = buildRegistration({ email: 'john.doe@example.com' });

    const response = await service.http.post('/api/users').send(registration).expect(201);

    expect(response.body).toEqual({
      success: true,
      message: 'User registration submitted successfully',
      data: { email: 'john.doe@example.com' },
    });
    expect(response.headers['location']).toBe('/api/users/john.doe%40example.com');
    const user = await stored('john.doe@example.com');
    expect(user).toEqual({
      id: expect.any(Number),
      first_name: 'John',
      last_name: 'Doe',
      email: 'john.doe@example.com',
      gender: 'non-binary',
      sex: 'male',
      occupation: 'Software Engineer',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: user['created_at'],
    });
    const keys = await eventually(() =>
      withRedis(service.env, async (redis) => {
        expect(await redis.get('user:pending:john.doe@example.com')).toBeNull();
        return { cached: await redis.get('user:completed:john.doe@example.com') };
      }),
    );
    expect(JSON.parse(keys.cached ?? '')).toEqual(user);
    const records = await readAll(service.env, service.env['KAFKA_TOPIC'] ?? '');
    expect(records).toContainEqual({
      key: 'john.doe@example.com',
      value: JSON.stringify(registration),
      headers: {
        'event-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
        'accepted-at': expect.stringMatching(/Z$/),
        'request-id': response.headers['x-request-id'],
      },
    });
  });

  it('gives the cache 24 hours', async () => {
    const { email } = buildRegistration();
    await service.http.post('/api/users').send(buildRegistration({ email })).expect(201);
    await stored(email);

    const ttl = await eventually(() =>
      withRedis(service.env, async (redis) => {
        const seconds = await redis.ttl(`user:completed:${email}`);
        expect(seconds).toBeGreaterThan(0);
        return seconds;
      }),
    );

    expect(ttl).toBeGreaterThan(86_000);
    expect(ttl).toBeLessThanOrEqual(86_400);
  });

  it('answers 409 when the email is registered, in upper or lower case, with the same or other fields', async () => {
    const registration = buildRegistration();
    await service.http.post('/api/users').send(registration).expect(201);
    const before = await stored(registration.email);

    for (const again of [
      registration,
      { ...registration, email: registration.email.toUpperCase() },
      { ...registration, firstName: 'Mallory' },
    ]) {
      const response = await service.http.post('/api/users').send(again).expect(409);
      expect(response.body).toEqual({ success: false, error: 'User already registered' });
    }

    expect(await stored(registration.email)).toEqual(before);
    expect(
      await sql(service.env, 'SELECT count(*)::int AS n FROM users WHERE email = $1', [registration.email]),
    ).toEqual([{ n: 1 }]);
  });

  it('answers 409 from the table alone when the cache has forgotten', async () => {
    const registration = buildRegistration();
    await service.http.post('/api/users').send(registration).expect(201);
    await stored(registration.email);
    await withRedis(service.env, (redis) => redis.del(`user:completed:${registration.email}`));

    await service.http.post('/api/users').send(registration).expect(409);

    await eventually(() =>
      withRedis(service.env, async (redis) =>
        expect(await redis.exists(`user:pending:${registration.email}`)).toBe(0),
      ),
    );
  });

  it('answers 409 registered to a stored email that another client still holds, and promotes it', async () => {
    const registration = buildRegistration();
    const { email } = registration;
    await service.http.post('/api/users').send(registration).expect(201);
    const row = await stored(email);
    const stale = buildEvent({ registration: { ...registration, firstName: 'Jane' } });
    await withRedis(service.env, async (redis) => {
      await redis.del(`user:completed:${email}`);
      await redis.set(`user:pending:${email}`, JSON.stringify(stale), 'EX', 3600);
    });

    const { body } = await service.http.post('/api/users').send(stale.registration).expect(409);

    expect(body).toEqual({ success: false, error: 'User already registered' });
    await eventually(() =>
      withRedis(service.env, async (redis) => {
        expect(JSON.parse((await redis.get(`user:completed:${email}`)) ?? '')).toEqual(row);
        expect(await redis.exists(`user:pending:${email}`)).toBe(0);
      }),
    );
  });

  it.each(BAD_REGISTRATIONS)('rejects %s', async (_what, fields, error) => {
    const response = await service.http.post('/api/users').send({ ...buildRegistration(), ...fields });

    expect(response.body).toEqual({ success: false, error });
    expect(response.status).toBe(400);
  });

  it('stores and returns exactly what it accepts', async () => {
    const registrations = GOOD_REGISTRATIONS.map(([, fields]) => buildRegistration(fields));

    for (const registration of registrations)
      await service.http.post('/api/users').send(registration).expect(201);

    for (const registration of registrations) {
      expect(await stored(registration.email)).toMatchObject({
        first_name: registration.firstName,
        last_name: registration.lastName,
        gender: registration.gender,
        sex: registration.sex,
        occupation: registration.occupation,
      });
    }
  });

  it('makes one user of all spellings of an address', async () => {
    const name = uniqueEmail().split('@')[0] ?? '';
    await service.http
      .post('/api/users')
      .send(buildRegistration({ email: `${name}@MÜNCHEN.de` }))
      .expect(201);

    const user = await stored(`${name}@münchen.de`);

    expect(user['email']).toBe(`${name}@xn--mnchen-3ya.de`);
    await service.http
      .post('/api/users')
      .send(buildRegistration({ email: `${name}@XN--MNCHEN-3YA.DE` }))
      .expect(409);
  });

  const json = 'application/json';
  it.each([
    ['malformed JSON', json, '{"firstName": "john.doe@example.com', 400, 'Request body is not valid JSON'],
    ['no body at all', json, '', 400, 'Validation error: firstName is required'],
    ['an empty object', json, '{}', 400, 'Validation error: firstName is required'],
    ['an array', json, '[]', 400, 'Validation error: body must be of type object'],
    ['a string', json, '"text"', 400, 'Validation error: body must be of type object'],
    ['a string that holds an object', json, '"{}"', 400, 'Validation error: body must be of type object'],
    ['null', json, 'null', 400, 'Validation error: body must be of type object'],
    ['a number', json, '5', 400, 'Validation error: body must be of type object'],
    [
      'a form',
      'application/x-www-form-urlencoded',
      'firstName=John',
      415,
      'Content-Type must be application/json',
    ],
    ['plain text', 'text/plain', '{}', 415, 'Content-Type must be application/json'],
    ['an unknown charset', `${json}; charset=ebcdic`, '{}', 415, 'Unsupported content encoding or charset'],
    ['UTF-16', `${json}; charset=utf-16`, '{}', 415, 'Unsupported content encoding or charset'],
    ['Latin 1', `${json}; charset=iso-8859-1`, '{}', 415, 'Unsupported content encoding or charset'],
    ['almost UTF-8', `${json}; charset=utf88`, '{}', 415, 'Unsupported content encoding or charset'],
    [
      '2 MB',
      json,
      `{"firstName":"${'x'.repeat(2_000_000)}"}`,
      413,
      'Request body is too large (limit 16 kB)',
    ],
  ])('answers %s clearly', async (_what, type, body, status, error) => {
    const response = await service.http.post('/api/users').set('Content-Type', type).send(body);

    expect(response.body).toEqual({ success: false, error });
    expect(response.status).toBe(status);
  });

  it('measures a compressed body by what it unpacks to', async () => {
    const body = gzipSync(`{"firstName":"${'x'.repeat(5_000_000)}"}`);
    const headers = { 'Content-Type': json, 'Content-Encoding': 'gzip' };

    const answer = await send(`${service.url}/api/users`, { method: 'POST', headers }, body);

    expect(answer.status).toBe(413);
  });

  it('answers 400 when a body cannot be decompressed', async () => {
    const headers = { 'Content-Type': json, 'Content-Encoding': 'gzip' };

    const answer = await send(`${service.url}/api/users`, { method: 'POST', headers }, '{}');

    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({ success: false, error: 'Bad request' });
  });
});
