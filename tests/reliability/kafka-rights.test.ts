import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ResourcePatternTypes,
} from '../../src/kafka/kafkajs';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { chooseFreePort } from '../../dev/local-stack/ports';
import { buildRegistration } from '../support/builders';
import { makeCertificates, saslSslSettings } from '../support/certificates';
import { eventually } from '../support/eventually';
import { startUnready, type TestService } from '../support/harness';
import { withAdmin } from '../support/kafka-tools';
import { isolatedServers, sql, type Env } from '../support/test-servers';

const PASSWORD = 'only for this test';
const NOTICED_MS = 8000;

let stack: LocalStack;
let secured: Env;

beforeAll(async () => {
  const [certificates, port] = [await makeCertificates(), await chooseFreePort()];
  const settings = {
    ...saslSslSettings(certificates, PASSWORD),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Brokers, and the administrator of this test.
    'super.users': 'User:ANONYMOUS',
  };
  stack = await startLocalStack({
    services: ['kafka'],
    kafka: { saslSsl: { port, settings } },
    report: () => undefined,
  });
  secured = {
    KAFKA_BROKERS: `localhost:${port}`,
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA_FILE: certificates.caFile,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'service',
    KAFKA_SASL_PASSWORD: PASSWORD,
    KAFKA_DELIVERY_TIMEOUT_MS: '1000',
  };
});

afterAll(() => stack.kill());

type Operation = 'READ' | 'WRITE' | 'CREATE' | 'DESCRIBE_CONFIGS';

/** What the user may do with all topics, or all groups, whose names begin so. */
const acl = (type: 'TOPIC' | 'GROUP', prefix: string, operation: Operation) => ({
  resourceType: AclResourceTypes[type],
  resourceName: prefix,
  resourcePatternType: ResourcePatternTypes.PREFIXED,
  principal: 'User:service',
  host: '*',
  operation: AclOperationTypes[operation],
  permissionType: AclPermissionTypes.ALLOW,
});
const grant = (...entries: ReturnType<typeof acl>[]) =>
  withAdmin(stack.env, (admin) => admin.createAcls({ acl: entries }));
const revoke = (...entries: ReturnType<typeof acl>[]) =>
  withAdmin(stack.env, (admin) => admin.deleteAcls({ filters: entries }));

async function start(): Promise<TestService> {
  return startUnready({ ...(await isolatedServers()), ...secured });
}

const hints = ({ log }: TestService): unknown[] => log.lines.flatMap(({ hint }) => hint ?? []);
const untilKafkaIs = (service: TestService, state: 'healthy' | 'unhealthy'): Promise<void> =>
  eventually(async () => {
    const { body } = await service.http.get('/api/health');
    expect((body as { services: object }).services).toMatchObject({ kafka: state });
  }, NOTICED_MS);
const post = ({ http }: TestService) => http.post('/api/users').send(buildRegistration());
const rows = async ({ env }: TestService): Promise<number> => (await sql(env, 'SELECT id FROM users')).length;

describe('a Kafka user', () => {
  it('without any right is told each that it needs, and without DescribeConfigs the service works', async () => {
    const service = await start();
    const [topic = '', group = ''] = [service.env['KAFKA_TOPIC'], service.env['KAFKA_GROUP_ID']];
    await eventually(() =>
      expect(hints(service)).toEqual([expect.stringMatching(/Describe, Read and Write on/)]),
    );
    await service.http.get('/api/health/ready').expect(503);

    await grant(acl('TOPIC', topic, 'CREATE'), acl('TOPIC', topic, 'READ'), acl('TOPIC', topic, 'WRITE'));
    await eventually(() => expect(hints(service).at(-1)).toMatch(/Read on the group/));
    await untilKafkaIs(service, 'unhealthy');
    await service.http.get('/api/health/live').expect(200);
    await grant(acl('GROUP', group, 'READ'));
    await untilKafkaIs(service, 'healthy');
    await post(service).expect(201);

    await eventually(async () => expect(await rows(service)).toBe(1));
    expect(hints(service)).toContainEqual(expect.stringMatching(/needs DescribeConfigs on the topics/));
    await service.stop();
  });

  it.each<['Write' | 'Read', Operation]>([
    ['Write', 'WRITE'],
    ['Read', 'READ'],
  ])(
    'that loses %s is unhealthy until it is given back; what was accepted is stored',
    async (_right, operation) => {
      const service = await start();
      const [topic = '', group = ''] = [service.env['KAFKA_TOPIC'], service.env['KAFKA_GROUP_ID']];
      const others = (['CREATE', 'DESCRIBE_CONFIGS', 'READ', 'WRITE'] as const).filter(
        (each) => each !== operation,
      );
      const lost = acl('TOPIC', topic, operation);
      await grant(...others.map((each) => acl('TOPIC', topic, each)), lost, acl('GROUP', group, 'READ'));
      await eventually(() => service.http.get('/api/health/ready').expect(200));
      await post(service).expect(201);
      await eventually(async () => expect(await rows(service)).toBe(1));

      await revoke(lost);
      const { status } = await post(service);
      await untilKafkaIs(service, 'unhealthy');
      await service.http.get('/api/health/live').expect(200);
      await grant(lost);
      await untilKafkaIs(service, 'healthy');

      expect(status).toBe(operation === 'WRITE' ? 503 : 201);
      expect(hints(service).at(-1)).toMatch(/Describe, Read and Write on/);
      await eventually(async () => expect(await rows(service)).toBe(2));
      await service.stop();
    },
  );
});
