import { readFileSync } from 'node:fs';
import dotenv from 'dotenv';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/config';
import { DOCS } from '../support/readme';

interface ComposeService {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[]; readonly start_period: string };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
}

type Name = 'postgres' | 'redis' | 'kafka' | 'api';

const compose = parse(readFileSync('docker-compose.yml', 'utf8')) as {
  readonly services: Readonly<Record<Name, ComposeService>>;
};
const { postgres, redis, kafka, api } = compose.services;

describe('docker compose up -d', () => {
  it('starts the three servers and not the service', () => {
    const started = Object.entries(compose.services).filter(([, { profiles }]) => profiles === undefined);
    expect(started.map(([name]) => name)).toEqual(['postgres', 'redis', 'kafka']);
    expect(compose).not.toHaveProperty('version');
  });

  it('gives what .env.example expects, on this machine only', () => {
    const config = loadConfig(dotenv.parse(readFileSync('.env.example')));
    const env = postgres.environment;
    expect(env).toEqual({
      POSTGRES_DB: config.postgres.database,
      POSTGRES_USER: config.postgres.user,
      POSTGRES_PASSWORD: config.postgres.password,
    });
    expect(postgres.ports).toEqual([`127.0.0.1:${config.postgres.port}:5432`]);
    expect(redis.ports).toEqual([`127.0.0.1:${new URL(config.redis.url).port}:6379`]);
    const [broker = ''] = config.kafka.brokers;
    expect(kafka.ports).toEqual([`127.0.0.1:${broker.split(':')[1] ?? ''}:9092`]);
    expect(kafka.environment?.['KAFKA_ADVERTISED_LISTENERS']).toContain(`PLAINTEXT_HOST://${broker}`);
    expect(api.ports).toEqual([`127.0.0.1:${config.http.port}:${config.http.port}`]);
  });

  it.each(Object.entries({ postgres, redis, kafka }))(
    'pins %s and knows when it is healthy',
    (_name, service) => {
      expect(service.image).toMatch(/:\d[\w.-]+$/);
      expect(service.healthcheck?.test[0]).toBe('CMD');
      expect(service.healthcheck?.start_period).toMatch(/^\d+s$/);
    },
  );

  it('keeps data where the images expect them: PostgreSQL 18 refuses the old folder', () => {
    expect(postgres.volumes).toEqual(['postgres-data:/var/lib/postgresql']);
    expect(kafka.volumes).toEqual([`kafka-data:${String(kafka.environment?.['KAFKA_LOG_DIRS'])}`]);
  });

  it('sets Kafka up completely: one setting makes the image drop all its defaults', () => {
    const names = Object.keys(kafka.environment ?? {});
    expect(names).toEqual(
      expect.arrayContaining([
        'CLUSTER_ID',
        'KAFKA_NODE_ID',
        'KAFKA_PROCESS_ROLES',
        'KAFKA_CONTROLLER_QUORUM_VOTERS',
        'KAFKA_CONTROLLER_LISTENER_NAMES',
        'KAFKA_LISTENERS',
        'KAFKA_ADVERTISED_LISTENERS',
        'KAFKA_LISTENER_SECURITY_PROTOCOL_MAP',
        'KAFKA_INTER_BROKER_LISTENER_NAME',
        'KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR',
        'KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR',
        'KAFKA_TRANSACTION_STATE_LOG_MIN_ISR',
        'KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR',
        'KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR',
        'KAFKA_LOG_DIRS',
      ]),
    );
    expect(kafka.environment?.['KAFKA_AUTO_CREATE_TOPICS_ENABLE']).toBe('false');
    expect(kafka.image).toMatch(/^apache\/kafka:4\./);
  });
});

describe('docker compose --profile app up -d', () => {
  it('adds the service, on healthy servers, by their names in the network', () => {
    expect(api.profiles).toEqual(['app']);
    expect(api.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
      kafka: { condition: 'service_healthy' },
    });
    const advertised = String(kafka.environment?.['KAFKA_ADVERTISED_LISTENERS']);
    expect(advertised).toContain(`PLAINTEXT://${String(api.environment?.['KAFKA_BROKERS'])}`);
    expect(() => loadConfig(api.environment as Record<string, string>)).not.toThrow();
  });

  it('runs it without rights, and stops it as patiently as it needs', () => {
    expect(api).toMatchObject({
      read_only: true,
      tmpfs: ['/tmp'],
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
    expect(parseInt(api.stop_grace_period ?? '', 10) * 1000).toBeGreaterThan(
      loadConfig({}).shutdownTimeoutMs,
    );
  });
});

describe('docker run, as README and docs give it', () => {
  const commands = DOCS.match(/^docker run [\s\S]*?user-registration-backend$/gm) ?? [];
  const variablesOf = (command: string): Record<string, string> =>
    Object.fromEntries(
      [...command.matchAll(/-e (\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
    ) as never;

  it('has a form for the compose network, with the same variables as the profile', () => {
    const inNetwork = commands.find((command) => command.includes('--network')) ?? '';
    expect(variablesOf(inNetwork)).toEqual(api.environment);
    expect(inNetwork).toContain('-p 8000:8000');
  });

  it('has the form for servers on this machine, with variables that the service accepts', () => {
    const onHost = commands.find((command) => command.includes('host.docker.internal')) ?? '';
    const config = loadConfig(variablesOf(onHost));
    expect(config.postgres.host).toBe('host.docker.internal');
    expect(config.redis.url).toBe('redis://host.docker.internal:6379');
    expect(config.kafka.brokers).toEqual(['host.docker.internal:9092']);
  });
});
