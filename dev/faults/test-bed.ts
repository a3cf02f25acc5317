import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../../tests/support/test-servers';
import { createThrowAwayFolder } from '../local-stack/folders';
import { type KafkaCluster, startKafkaCluster } from '../local-stack/kafka-cluster';
import { type LocalStack, type ServiceName, startLocalStack } from '../local-stack/local-stack';
import { chooseFreePort } from '../local-stack/ports';
import { type RedisCluster, startRedisCluster } from '../local-stack/redis-cluster';
import { eventsTopic } from './events';
import { FaultyServer } from './faulty-server';
import { ServiceReplica } from './service-replica';
import { TcpProxy } from './tcp-proxy';

/** May erase. */
export const adminKey = 'harness';

const serviceEnv = {
  ADMIN_API_KEYS: `harness:${createHash('sha256').update(adminKey).digest('hex')}`,
  NODE_ENV: 'production',
  KAFKA_EVENTS_TOPIC: eventsTopic,
  METRICS_PORT: '0',
  RATE_LIMIT_MAX: '1000000000',
  // As with a proxy in front: one address may open any number of connections.
  TRUST_PROXY: '1',
} as const;

/** What a scenario needs of its test bed. */
export interface BedNeeds {
  readonly name: string;
  /** This server is unreachable until the scenario heals it. */
  readonly startsWithout?: ServiceName;
  /** Kafka is a cluster of three nodes without proxies, not one node with a proxy. */
  readonly isOnCluster?: boolean;
  /** The service uses a Redis Cluster with replicas, without proxies. */
  readonly isOnRedisCluster?: boolean;
  /** Variables of the service. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
  /**
   * Redis without its proxy. The proxy is part of the process that sends the requests: many of them, with their retries,
   * block it for longer than a request waits for Redis, which would count as Redis being unavailable.
   */
  readonly reachesRedisDirectly?: boolean;
}

/** Real servers with proxies in front of them, and replicas of the service, for one scenario. */
export class TestBed {
  readonly replicas: ServiceReplica[] = [];

  private constructor(
    private readonly needs: BedNeeds,
    private readonly place: { readonly logs: string; readonly data: string },
    /** The servers' own addresses, without the proxies. */
    readonly env: Env,
    private readonly servers: Readonly<Partial<Record<ServiceName, FaultyServer>>>,
    readonly cluster: KafkaCluster | undefined,
    readonly redisCluster: RedisCluster | undefined,
    private readonly end: () => Promise<void>,
  ) {}

  /** Starts the servers; the replicas are the caller's to start. */
  static async start(needs: BedNeeds, logs: string): Promise<TestBed> {
    await mkdir(logs, { recursive: true });
    const folder = await createThrowAwayFolder();
    const options = { dataDir: folder.path, durable: true, report: () => undefined };
    const kafkaPort = await chooseFreePort();
    const cluster = needs.isOnCluster ? await startKafkaCluster({ ...options, nodes: 3 }) : undefined;
    const redisCluster = needs.isOnRedisCluster
      ? await startRedisCluster({ ...options, hasReplicas: true })
      : undefined;
    const stack = await startLocalStack({
      ...options,
      services: cluster ? ['postgres', 'redis'] : ['postgres', 'redis', 'kafka'],
      kafka: { advertisedPort: kafkaPort },
    });
    const end = async (): Promise<void> => {
      await Promise.all([stack.kill(), cluster?.kill(), redisCluster?.kill()]);
      await folder.remove();
    };
    const env = { ...stack.env, ...(cluster && { KAFKA_BROKERS: cluster.brokers }), ...redisCluster?.env };
    const place = { logs, data: folder.path };
    const bed = new TestBed(needs, place, env, withFaults(stack), cluster, redisCluster, end);
    await bed.openKafka(kafkaPort);
    return bed;
  }

  get postgres(): FaultyServer {
    return this.server('postgres');
  }

  get redis(): FaultyServer {
    return this.server('redis');
  }

  get kafka(): FaultyServer {
    return this.server('kafka');
  }

  server(name: ServiceName): FaultyServer {
    const server = this.servers[name];
    if (server === undefined) throw new Error(`${this.needs.name} runs without a single ${name}`);
    return server;
  }

  /** The folder that holds the servers' data. */
  get dataDir(): string {
    return this.place.data;
  }

  /** One more process of the service, not started yet, on proxies of its own. */
  async addReplica(): Promise<ServiceReplica> {
    const name = `service-${this.replicas.length + 1}`;
    const [postgres, redis] = await Promise.all([this.proxyFor('postgres'), this.proxyFor('redis')]);
    const replica = new ServiceReplica({
      name,
      port: await chooseFreePort(),
      log: join(this.place.logs, `${name}.log`),
      nodeOptions: this.needs.nodeOptions ?? [],
      postgres,
      redis,
      env: this.envWithProxies(postgres, redis),
    });
    this.replicas.push(replica);
    return replica;
  }

  /** Waits. */
  async hold(seconds: number): Promise<void> {
    await sleep(seconds * 1000);
  }

  /** Ends every fault, also of a scenario that failed half-way. */
  async heal(): Promise<void> {
    for (const server of Object.values(this.servers)) {
      if (server.process.isRunning) await server.process.thaw();
      else await server.process.restart();
      await server.heal();
    }
  }

  /** Ends every process and removes the data. */
  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.kill()));
    await this.end();
  }

  private async openKafka(port: number): Promise<void> {
    const { kafka } = this.servers;
    if (kafka === undefined) return;
    kafka.add(await TcpProxy.start(kafka.process, port));
    await this.refuseIfMissing('kafka');
  }

  private async proxyFor(name: ServiceName): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(this.server(name).process);
    this.server(name).add(proxy);
    await this.refuseIfMissing(name);
    return proxy;
  }

  private async refuseIfMissing(name: ServiceName): Promise<void> {
    if (this.needs.startsWithout === name) await this.server(name).refuse();
  }

  private envWithProxies(postgres: TcpProxy, redis: TcpProxy): NodeJS.ProcessEnv {
    const { PATH, HOME } = process.env;
    const kafka = this.servers.kafka?.proxies[0];
    return {
      ...{ PATH, HOME },
      ...serviceEnv,
      LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn',
      ...this.env,
      DB_PORT: String(postgres.port),
      ...(!this.needs.reachesRedisDirectly &&
        !this.needs.isOnRedisCluster && { REDIS_URL: `redis://${redis.host}:${redis.port}` }),
      ...(kafka && { KAFKA_BROKERS: `${kafka.host}:${kafka.port}` }),
      ...this.needs.env,
    };
  }
}

function withFaults({ servers }: LocalStack): Partial<Record<ServiceName, FaultyServer>> {
  const entries = Object.entries(servers).map(([name, server]) => [name, new FaultyServer(server)]);
  return Object.fromEntries(entries) as Partial<Record<ServiceName, FaultyServer>>;
}
