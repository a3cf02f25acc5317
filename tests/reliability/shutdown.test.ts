import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { send } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { countByStatus, expectStored, register, startTraffic } from '../support/traffic';

let env: Env;
let service: ServiceProcess;

beforeEach(async () => {
  env = await isolatedServers();
  service = await ServiceProcess.start(env);
});

/** Opens a POST and sends its body only when told to: a request in flight for as long as the test likes. */
async function openPost(url: string, body: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (text) => (answer += text.toString()));
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const head = [
    'POST /api/users HTTP/1.1',
    'Host: service',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body.slice(0, 10)}`);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return {
    finish: async (): Promise<string> => {
      socket.write(body.slice(10));
      await ended;
      return answer;
    },
  };
}

describe('SIGTERM', () => {
  it('lets a request in flight finish, tells it to close, and exits 0', async () => {
    const registration = buildRegistration();
    const post = await openPost(service.url, JSON.stringify(registration));
    // A request after it proves that the service has read the first part.
    await send(`${service.url}/api/health/live`);

    service.signal('SIGTERM');
    await eventually(async () => {
      const answer = await send(`${service.url}/api/health/live`).catch((error: unknown) => String(error));
      expect(answer).toMatch('ECONNREFUSED');
    });
    const answer = await post.finish();

    expect(answer).toMatch(/^HTTP\/1\.1 201 /);
    expect(answer).toMatch(/\r\nConnection: close\r\n/i);
    expect(await service.exited).toBe(0);
    const second = await ServiceProcess.start(env);
    await eventually(async () =>
      expect(await sql(env, 'SELECT email FROM users')).toEqual([{ email: registration.email }]),
    );
    expect(await second.stop()).toBe(0);
  });

  it('under load answers every accepted request, and every 201 becomes a row', async () => {
    const traffic = startTraffic(service.url, 100);
    await eventually(async () => expect((await sql(env, 'SELECT id FROM users')).length).toBeGreaterThan(20));

    expect(await service.stop()).toBe(0);
    const attempts = await traffic.stop();

    // 0 is a connection that the closed listener rejected, or that the kernel had not handed over when it closed.
    expect(Object.keys(countByStatus(attempts))).toEqual(['0', '201']);
    const received = service.output.match(/.*"route":"\/api\/users".*/g) ?? [];
    expect(received).toHaveLength(countByStatus(attempts)[201] ?? 0);
    expect(received.filter((line) => line.includes('"aborted"'))).toEqual([]);
    const second = await ServiceProcess.start(env);
    const accepted = countByStatus(attempts)[201];
    await eventually(async () => expect((await sql(env, 'SELECT id FROM users')).length).toBe(accepted));
    await expectStored(env, attempts);
    expect(await second.stop()).toBe(0);
  });

  it('waits neither for an idle keep-alive connection nor for one that was never used', async () => {
    const agent = new Agent({ keepAlive: true });
    await send(`${service.url}/api/health/live`, { agent });
    const unused = connect(Number(new URL(service.url).port), '127.0.0.1');
    await once(unused, 'connect');
    unused.on('error', () => undefined);

    expect(await service.stop()).toBe(0);

    // It would otherwise take the whole drain time of 7 s.
    const line = /"component":"http server","durationMs":(\d+)/.exec(service.output);
    expect(Number(line?.[1])).toBeLessThan(5000);
    agent.destroy();
  });

  it('exits at once, with 1, on a second signal', async () => {
    const post = await openPost(service.url, JSON.stringify(buildRegistration()));
    await send(`${service.url}/api/health/live`);

    service.signal('SIGTERM');
    await eventually(() => expect(service.output).toContain('"message":"stopping"'));
    service.signal('SIGINT');

    expect(await service.exited).toBe(1);
    await post.finish();
  });
});

describe('a log without a reader', () => {
  it('costs its lines, which are counted, and no request', async () => {
    const dropped = () => service.metric('registration_log_lines_dropped_total');
    const before = await dropped();

    service.closeLog();
    const { answer } = await register(service.url, buildRegistration());

    expect([before, answer.status]).toEqual([0, 201]);
    await eventually(async () => expect(await dropped()).toBeGreaterThan(0));
    expect(await service.stop()).toBe(0);
  });
});

describe('SIGKILL', () => {
  it('loses nothing that was answered 201', async () => {
    const traffic = startTraffic(service.url, 100);
    await eventually(async () => expect((await sql(env, 'SELECT id FROM users')).length).toBeGreaterThan(20));
    service.signal('SIGKILL');
    await service.exited;
    const attempts = await traffic.stop();

    const second = await ServiceProcess.start(env);
    const retries = await Promise.all(
      attempts
        .filter(({ answer }) => answer.status !== 201)
        .map(({ registration }) => register(second.url, registration)),
    );

    expect(
      retries.map(({ answer }) => answer.status).filter((status) => ![201, 409].includes(status)),
    ).toEqual([]);
    await eventually(async () =>
      expect((await sql(env, 'SELECT id FROM users')).length).toBe(attempts.length),
    );
    await expectStored(env, [...attempts, ...retries]);
    expect(await second.stop()).toBe(0);
  });
});
