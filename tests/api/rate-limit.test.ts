import { startService, type TestService } from '../support/harness';
import { withRedis } from '../support/test-servers';

const MAX = 5;
const ORIGIN = 'http://localhost:5173';

let service: TestService;

beforeAll(async () => {
  service = await startService({
    RATE_LIMIT_MAX: String(MAX),
    RATE_LIMIT_WINDOW_MS: '60000',
    TRUST_PROXY: '1',
  });
});

const from = (address: string, path = '/api/users') => service.http.get(path).set('X-Forwarded-For', address);

describe('rate limit', () => {
  it('lets RATE_LIMIT_MAX requests of one address pass and answers the next with 429', async () => {
    for (let request = 0; request < MAX; request += 1) await from('198.51.100.1').expect(200);

    const response = await from('198.51.100.1').set('Origin', ORIGIN).expect(429);

    expect(response.body).toEqual({ success: false, error: 'Too many requests, please try again later' });
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
    expect(response.headers['ratelimit']).toMatch(/^limit=5, remaining=0, reset=\d+$/);
    expect(response.headers['ratelimit-policy']).toBe('5;w=60');
    expect(response.headers['access-control-allow-origin']).toBe(ORIGIN);
  });

  it('counts each address by itself, and unknown paths too', async () => {
    for (let request = 0; request < MAX; request += 1) await from('198.51.100.2', '/api/nothing').expect(404);

    await from('198.51.100.2', '/api/nothing').expect(429);
    await from('198.51.100.3').expect(200);
  });

  it('counts an IPv6 network of /56 as one client', async () => {
    for (let request = 0; request < MAX; request += 1) await from(`2001:db8:0:${request}::1`).expect(200);

    await from('2001:db8:0:ff::9').expect(429);
    await from('2001:db8:0:100::1').expect(200);
  });

  it('counts an IPv4 address as one client, however it is written', async () => {
    for (let request = 0; request < MAX; request += 1) {
      await from(request % 2 === 0 ? '198.51.100.9' : '::ffff:198.51.100.9').expect(200);
    }

    await from('::FFFF:198.51.100.9').expect(429);
    await from('198.51.100.9').expect(429);
    await from('::ffff:198.51.100.10').expect(200);
  });

  it.each([
    ['203.0.113.7', '203.0.113.8'],
    ['[2001:db8:7::1]', '[2001:db8:8::1]'],
  ])('counts %s as one client, whichever port the proxy names with it', async (client, other) => {
    for (let port = 40_000; port < 40_000 + MAX; port += 1) await from(`${client}:${port}`).expect(200);

    await from(`${client}:443`).expect(429);
    await from(`${other}:443`).expect(200);
  });

  it('leaves probes and preflights out', async () => {
    for (let request = 0; request <= MAX; request += 1) {
      await from('198.51.100.4', '/api/health').expect(200);
      for (const origin of [ORIGIN, 'https://other.example.org'])
        await service.http
          .options('/api/users')
          .set({ 'X-Forwarded-For': '198.51.100.4', Origin: origin })
          .expect(204);
    }

    await from('198.51.100.4').expect(200);
  });

  it('counts what the proxy says, whatever the client claims before it', async () => {
    for (let request = 0; request < MAX; request += 1) {
      await from(`203.0.113.${request}, 198.51.100.20`).expect(200);
    }

    await from('203.0.113.99, 198.51.100.20').expect(429);
    await from('198.51.100.20, 198.51.100.21').expect(200);
  });

  it('counts in Redis, so that replicas share one count', async () => {
    const replica = await startService(service.env);
    const replicas = [service, replica];
    const ask = (nth: number) =>
      replicas[nth % 2]?.http.get('/api/users').set('X-Forwarded-For', '198.51.100.30');
    for (let request = 0; request < MAX; request += 1) await ask(request)?.expect(200);

    const answers = await Promise.all([ask(0), ask(1)]);

    await replica.stop();
    expect(answers.map((answer) => answer?.status)).toEqual([429, 429]);
  });

  it('counts on when Redis has forgotten the script', async () => {
    await from('198.51.100.40').expect(200);

    await withRedis(service.env, (redis) => redis.script('FLUSH'));

    const { headers } = await from('198.51.100.40').expect(200);
    expect(headers['ratelimit']).toMatch(`limit=${MAX}, remaining=${MAX - 2}, `);
  });

  it('keeps an address no longer than the window', async () => {
    await from('198.51.100.50').expect(200);

    const lifetimes = await withRedis(service.env, async (redis) => {
      const keys = await redis.keys('rate-limit:*');
      return Promise.all(keys.map((key) => redis.pttl(key)));
    });

    expect(lifetimes.length).toBeGreaterThan(0);
    for (const lifetime of lifetimes) expect(lifetime > 0 && lifetime <= 60_000).toBe(true);
  });

  it('believes no X-Forwarded-For by default', async () => {
    const direct = await startService({ RATE_LIMIT_MAX: String(MAX) });
    for (let request = 0; request < MAX; request += 1) {
      await direct.http.get('/api/users').set('X-Forwarded-For', `203.0.113.${request}`).expect(200);
    }

    const response = await direct.http.get('/api/users').set('X-Forwarded-For', '203.0.113.99');

    await direct.stop();
    expect(response.status).toBe(429);
  });
});
