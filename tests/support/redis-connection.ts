import { RedisConnection } from '../../src/redis/connection';
import { eventually } from './eventually';
import { RecordingLogger } from './recording-logger';
import type { Env } from './test-servers';

/** A connection as a service with these variables has it, ready; the caller stops it. */
export async function connectRedis(env: Env): Promise<RedisConnection> {
  const connection = new RedisConnection({
    ...{ url: env['REDIS_URL'] ?? '', isCluster: env['REDIS_CLUSTER'] === 'true' },
    state: { isUnavailable: false },
    log: new RecordingLogger(),
  });
  connection.start();
  await eventually(() => connection.check());
  return connection;
}
