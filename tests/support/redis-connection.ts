import { RedisConnection } from '../../src/redis/connection';
import { eventually } from './eventually';
import { RecordingLogger } from './recording-logger';

/** A connection as the service has it, ready; the caller stops it. */
export async function connectRedis(url = '', isCluster = false): Promise<RedisConnection> {
  const connection = new RedisConnection({
    ...{ url, isCluster },
    state: { isUnavailable: false },
    log: new RecordingLogger(),
  });
  connection.start();
  await eventually(() => connection.check());
  return connection;
}
