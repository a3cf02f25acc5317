import type { Overrides } from '../../src/compose';
import { startLocalStack, type LocalStack } from '../../dev/local-stack/local-stack';
import { eventually } from './eventually';
import { startService, type TestService } from './harness';
import { drained } from './kafka-tools';
import type { Env } from './test-servers';

interface Settings {
  /** Whether data survive a restart. */
  readonly durable?: boolean;
  readonly variables?: Env;
  readonly overrides?: Overrides;
  /** Runs before the service starts. */
  readonly prepare?: (env: Env) => Promise<void>;
}

/** Starts a server that belongs to this test file alone, to be killed and frozen, and a service that uses it. */
export function useOwnServer(name: 'postgres' | 'redis' | 'kafka', settings: Settings = {}) {
  let stack: LocalStack;
  let service: TestService;

  beforeAll(async () => {
    const { durable = false } = settings;
    stack = await startLocalStack({ services: [name], durable, report: () => undefined });
    await settings.prepare?.(stack.env);
    service = await startService({ ...stack.env, ...settings.variables }, settings.overrides);
  });

  afterAll(() => stack.kill());

  const untilHealthIs = (expected: object): Promise<void> =>
    eventually(async () => expect((await service.http.get('/api/health')).body).toMatchObject(expected));

  return {
    get env(): Env {
      return stack.env;
    },
    get service(): TestService {
      return service;
    },
    /** All of its nodes, where the variant is a Redis Cluster. */
    get server() {
      const server = name === 'redis' ? (stack.redisCluster ?? stack.servers.redis) : stack.servers[name];
      if (server === undefined) throw new Error(`${name} was not started`);
      return server;
    },
    untilUnhealthy: () => untilHealthIs({ services: { [name]: 'unhealthy' } }),
    untilHealthy: () => untilHealthIs({ message: 'OK' }),
    drained: () => drained(service.env),
  };
}
