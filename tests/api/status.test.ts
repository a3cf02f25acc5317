import { buildRegistration, uniqueEmail } from '../support/builders';
import { startService, type TestService } from '../support/harness';
import { insertUser, withRedis } from '../support/test-servers';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});

const setKey = (key: string, value: string) => withRedis(service.env, (redis) => redis.set(key, value));
const statusOf = (email: string) => service.http.get(`/api/users/${encodeURIComponent(email)}/status`);

describe('GET /api/users/:email/status', () => {
  it('only ever goes on while it is asked: pending, then completed, never unknown', async () => {
    const registrations = Array.from({ length: 20 }, () => buildRegistration());

    const histories = await Promise.all(
      registrations.map(async (registration) => {
        await service.http.post('/api/users').send(registration).expect(201);
        const seen: string[] = [];
        while (seen.at(-1) !== 'completed') {
          const { body } = await statusOf(registration.email).expect(200);
          const { status } = (body as { data: { status: string } }).data;
          if (status !== seen.at(-1)) seen.push(status);
        }
        return seen;
      }),
    );

    for (const seen of histories) expect([['completed'], ['pending', 'completed']]).toContainEqual(seen);
  });

  it.each<[object, (email: string) => Promise<unknown>]>([
    [{ status: 'pending' }, (email) => setKey(`user:pending:${email}`, 'unreadable')],
    [
      { status: 'failed', reason: 'unstorable' },
      (email) => setKey(`user:failed:${email}`, '{"reason":"unstorable"}'),
    ],
    [{ status: 'completed' }, (email) => insertUser(service.env, buildRegistration({ email }))],
  ])('answers %j, whatever the case of the path', async (state, arrange) => {
    const email = uniqueEmail();
    await arrange(email);

    const { body } = await statusOf(email.toUpperCase()).expect(200);

    expect(body).toEqual({ success: true, data: { email, ...state } });
  });

  it('answers 404 for an email that no store knows', async () => {
    const { body } = await statusOf(uniqueEmail()).expect(404);

    expect(body).toEqual({ success: false, error: 'User not found' });
  });

  it('answers 400 to what is no email, and 405 to other methods', async () => {
    await statusOf('john').expect(400);
    const { headers } = await service.http.post(`/api/users/${uniqueEmail()}/status`).expect(405);

    expect(headers['allow']).toBe('GET, HEAD, OPTIONS');
  });
});
