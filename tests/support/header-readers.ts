import { createHash } from 'node:crypto';
import { InMemoryUsers } from './fakes/postgres';
import { startService, type TestService } from './harness';

/** Lets its holder read users from a service of startHeaderReader(). */
export const KEY = 'a-key-for-reading';

/** A service that reads Authorization and X-Forwarded-For, too. */
export function startHeaderReader(): Promise<TestService> {
  return startService(
    {
      CONSUMER_ENABLED: 'false',
      API_KEYS: `crm:${createHash('sha256').update(KEY).digest('hex')}`,
      TRUST_PROXY: '1',
    },
    { users: new InMemoryUsers() },
  );
}
