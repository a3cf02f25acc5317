import { buildRegistration, uniqueEmail } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { sql, withRedis } from '../support/test-servers';

let service: TestService;

beforeAll(async () => {
  service = await startService();
});

const statusOf = (email: string) => service.http.get(`/api/users/${encodeURIComponent(email)}/status`);

describe('GET /api/users/:email/status', () => {
  it('leads from 201 to completed, whatever the letter case of the path', async () => {
    const registration = buildRegistration();
    const { email } = registration;

    await service.http.post('/api/users').send(registration).expect(201);
    // Never 404: the reservation goes only when the row is there.
    const first = await statusOf(email).expect(200);
    expect(['pending', 'completed']).toContain((first.body as { data: { status: string } }).data.status);

    await eventually(async () =>
      expect((await statusOf(email.toUpperCase())).body).toEqual({
        success: true,
        data: { email, status: 'completed' },
      }),
    );
  });

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

  it('says pending while the e-mail is reserved', async () => {
    const email = uniqueEmail();
    await withRedis(service.env, (redis) => redis.set(`user:pending:${email}`, 'whatever'));

    const { body } = await statusOf(email).expect(200);

    expect(body).toEqual({ success: true, data: { email, status: 'pending' } });
  });

  it('says failed, with the reason', async () => {
    const email = uniqueEmail();
    await withRedis(service.env, (redis) =>
      redis.set(`user:failed:${email}`, JSON.stringify({ reason: 'unstorable' })),
    );

    const { body } = await statusOf(email).expect(200);

    expect(body).toEqual({ success: true, data: { email, status: 'failed', reason: 'unstorable' } });
  });

  it('says completed of a row that no cache knows', async () => {
    const email = uniqueEmail();
    await sql(
      service.env,
      `INSERT INTO users (first_name, last_name, email, gender, sex, occupation)
       VALUES ('John', 'Doe', $1, 'non-binary', 'male', 'Tester')`,
      [email],
    );

    const { body } = await statusOf(email).expect(200);

    expect(body).toEqual({ success: true, data: { email, status: 'completed' } });
  });

  it('answers 404 when nobody knows the e-mail', async () => {
    const { body } = await statusOf(uniqueEmail()).expect(404);

    expect(body).toEqual({ success: false, error: 'User not found' });
  });

  it('answers 400 when it is no e-mail, and 405 to other methods', async () => {
    await statusOf('nobody').expect(400);
    const refused = await service.http.post(`/api/users/${uniqueEmail()}/status`).expect(405);

    expect(refused.headers['allow']).toBe('GET, HEAD, OPTIONS');
  });
});
