import { createHash, randomBytes } from 'node:crypto';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';

const oldKey = randomBytes(32).toString('hex');
const newKey = randomBytes(32).toString('hex');
const nearlyKnownKey = randomBytes(32).toString('hex');
const registration = buildRegistration();
const paths = ['/api/users', `/api/users/${registration.email}`];

let service: TestService;

beforeAll(async () => {
  const known = [`crm:${sha256(oldKey).toString('hex')}`, `crm-2026:${sha256(newKey).toString('hex')}`];
  // For each byte of a digest one that differs from it in this byte only.
  const nearlyTheSame = Array.from(sha256(nearlyKnownKey), (byte, index) => {
    const digest = sha256(nearlyKnownKey);
    digest[index] = byte ^ 1;
    return `byte-${index}:${digest.toString('hex')}`;
  });
  service = await startService({ API_KEYS: [...known, ...nearlyTheSame].join(',') });
  await service.http.post('/api/users').send(registration).expect(201);
  // From then on the cache holds it too.
  await eventually(() => read(`/api/users/${registration.email}`, `Bearer ${newKey}`).expect(200));
});

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const read = (path: string, authorization: string) =>
  service.http.get(path).set('Authorization', authorization);

describe('with API_KEYS', () => {
  it.each(paths)('GET %s is for holders of any key', async (path) => {
    for (const key of [oldKey, newKey]) await read(path, `Bearer ${key}`).expect(200);
    await read(path, `bearer ${newKey}`).expect(200);
  });

  it.each(paths)('GET and HEAD %s ask everyone else for one', async (path) => {
    for (const ask of [service.http.get(path), service.http.head(path)]) {
      await ask.expect(401).expect('WWW-Authenticate', 'Bearer realm="users"');
    }
    const { body } = (await service.http.get(path)) as { body: unknown };
    expect(body).toEqual({ success: false, error: 'A valid API key is required' });
  });

  it.each([
    ['another key', `Bearer ${randomBytes(32).toString('hex')}`],
    ['the name', 'Bearer crm'],
    ['the digest', `Bearer ${sha256(oldKey).toString('hex')}`],
    ['a key whose digest differs from a known one in a single byte', `Bearer ${nearlyKnownKey}`],
    ['a part of a key', `Bearer ${oldKey.slice(0, -1)}`],
  ])('%s opens nothing', async (_what, authorization) => {
    for (const path of paths) {
      await read(path, authorization)
        .expect(401)
        .expect('WWW-Authenticate', 'Bearer realm="users", error="invalid_token"');
    }
  });

  it.each([
    ['another scheme', `Basic ${oldKey}`],
    ['no scheme', oldKey],
    ['two keys', `Bearer ${oldKey} ${newKey}`],
    ['nothing', 'Bearer '],
  ])('%s counts as no key', async (_what, authorization) => {
    await read('/api/users', authorization).expect(401).expect('WWW-Authenticate', 'Bearer realm="users"');
  });

  it('says 401 before it looks at the query or the e-mail', async () => {
    await service.http.get('/api/users?limit=none').expect(401);
    await service.http.get('/api/users/no-email').expect(401);
  });

  it('leaves POST and health open', async () => {
    await service.http.post('/api/users').send(buildRegistration()).expect(201);
    await service.http.get('/api/health').expect(200);
  });

  it('logs the name of the key, never a key', async () => {
    await read('/api/users', `Bearer ${oldKey}`).expect(200);
    const stranger = randomBytes(32).toString('hex');
    await read('/api/users', `Bearer ${stranger}`).expect(401);

    await eventually(() => {
      const lines = service.log.lines.filter(({ route }) => route === '/api/users');
      expect(lines).toContainEqual(expect.objectContaining({ status: 200, apiKey: 'crm' }));
      expect(lines).toContainEqual(expect.objectContaining({ status: 401 }));
    });
    const log = JSON.stringify(service.log.lines);
    for (const key of [oldKey, newKey, stranger]) expect(log).not.toContain(key);
  });
});
