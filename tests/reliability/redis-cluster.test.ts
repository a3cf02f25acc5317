import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { drained } from '../support/kafka-tools';
import { postJson } from '../support/raw-http';
import { useRedisCluster } from '../support/redis-cluster';
import { connectRedis } from '../support/redis-connection';
import { sql } from '../support/test-servers';
import { countByStatus, expectStored, register, startTraffic } from '../support/traffic';

const cluster = useRedisCluster({ hasReplicas: true });
let service: TestService;

beforeAll(async () => {
  service = await startService(cluster.env);
});

beforeEach(async () => {
  await sql(service.env, 'TRUNCATE users');
});

const untilRedisIs = (health: 'healthy' | 'unhealthy'): Promise<void> =>
  eventually(async () =>
    expect((await service.http.get('/api/health')).body).toMatchObject({ services: { redis: health } }),
  );

describe('a service on a Redis Cluster', () => {
  it('registers, caches, and frees each email, wherever its keys are', async () => {
    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    await drained(service.env);
    const others = await Promise.all(
      attempts.map(({ registration }) =>
        postJson(`${service.url}/api/users`, { ...registration, firstName: 'Mallory' }),
      ),
    );

    expect(countByStatus(attempts)).toEqual({ 201: 20 });
    expect(new Set(others.map(({ body }) => body))).toEqual(
      new Set(['{"success":false,"error":"User already registered"}']),
    );
    await expectStored(service.env, attempts);
  });
});

describe('a primary killed under load', () => {
  it('fails no POST, loses and doubles nothing; its replica takes over, and it may come back', async () => {
    const [primary] = cluster.cluster.primaries;
    const traffic = startTraffic(service.url, 50);

    await primary?.kill();
    await untilRedisIs('unhealthy');
    const meanwhile = await register(service.url);
    await untilRedisIs('healthy');
    await primary?.restart();
    const attempts = [...(await traffic.stop()), meanwhile];

    expect(Object.keys(countByStatus(attempts))).toEqual(['201']);
    await drained(service.env);
    await expectStored(service.env, attempts);
  });
});

describe('a primary frozen until its replica has taken over', () => {
  it('fails no POST, and the silent connection is given up for the new primary', async () => {
    const [, primary] = cluster.cluster.primaries;

    await primary?.freeze();
    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    await untilRedisIs('unhealthy');
    await untilRedisIs('healthy');
    const afterwards = await register(service.url);
    await primary?.thaw();

    expect(countByStatus(attempts)).toEqual({ 201: 20 });
    expect(afterwards.answer.status).toBe(201);
    await drained(service.env);
    await expectStored(service.env, [...attempts, afterwards]);
  });
});

describe('a start while a primary is frozen', () => {
  it('gets a connection that works as soon as the replica has taken over', async () => {
    const [, , primary] = cluster.cluster.primaries;

    await primary?.freeze();
    // Any node may be the one that a connection asks first.
    const starts = Array.from({ length: 10 }, () => connectRedis(cluster.env));
    const connections = await Promise.all(starts);
    const checks = await Promise.allSettled(connections.map((connection) => connection.check()));
    await primary?.thaw();
    await Promise.all(connections.map((connection) => connection.stop()));

    expect(checks.map(({ status }) => status)).toEqual(checks.map(() => 'fulfilled'));
  });
});
