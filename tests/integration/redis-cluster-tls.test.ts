import { createThrowAwayFolder, type ThrowAwayFolder } from '../../dev/local-stack/folders';
import { startRedisCluster, type RedisCluster } from '../../dev/local-stack/redis-cluster';
import { makeCertificates, type Certificates } from '../support/certificates';
import { eventually } from '../support/eventually';
import { drained } from '../support/kafka-tools';
import { postJson } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, type Env } from '../support/test-servers';
import { countByStatus, register } from '../support/traffic';

let folder: ThrowAwayFolder;
let certificates: Certificates;
let cluster: RedisCluster;
let env: Env;

beforeAll(async () => {
  [folder, certificates] = await Promise.all([createThrowAwayFolder(), makeCertificates()]);
  const options = { dataDir: folder.path, durable: false, report: () => undefined };
  cluster = await startRedisCluster({ ...options, tls: certificates });
  const [oneNode = ''] = (cluster.env['REDIS_URL'] ?? '').split(',');
  env = { ...(await isolatedServers()), ...cluster.env, REDIS_URL: oneNode };
});

afterAll(async () => {
  await cluster.kill();
  await folder.remove();
});

describe('a Redis Cluster with TLS', () => {
  it('is used by way of one node, the others by the names that it gives', async () => {
    const service = await ServiceProcess.start({ ...env, NODE_EXTRA_CA_CERTS: certificates.caFile });

    const attempts = await Promise.all(Array.from({ length: 20 }, () => register(service.url)));
    await drained(env);
    const others = attempts.map(({ registration }) =>
      postJson(`${service.url}/api/users`, { ...registration, firstName: 'Mallory' }),
    );

    expect(countByStatus(attempts)).toEqual({ 201: 20 });
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(others.map(() => 409));
    expect(await service.metric('registration_degraded_decisions_total{dependency="redis"}')).toBe(0);
    await service.stop();
  });

  it('is not used when nobody vouches for its certificate, and a line says what to do', async () => {
    const service = ServiceProcess.launch({ ...env, NODE_ENV: 'production' });

    await eventually(() => expect(service.output).toMatch(/"hint":"[^"]*NODE_EXTRA_CA_CERTS/));

    service.signal('SIGKILL');
    await service.exited;
  });
});
