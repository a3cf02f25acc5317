import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/stored-user';
import { LoadShedder } from '../../src/http/load-shedder';
import { buildRegistration, buildUser } from '../support/builders';
import { InMemoryUsers } from '../support/fakes/postgres';
import { startUnready } from '../support/harness';
import { createTopics, drained, produce } from '../support/kafka-tools';
import { isolatedServers } from '../support/test-servers';

const PARTITIONS = [0, 1, 2];
const SENDS = 14;
/** For each partition: a record batch so small that a fetch brings some of all partitions. */
const RECORDS_PER_SEND = 300;

function buildMessages(partition: number): Message[] {
  return Array.from({ length: RECORDS_PER_SEND }, () => {
    const registration = buildRegistration();
    return { partition, key: registration.email, value: JSON.stringify(registration) };
  });
}

/** Each write takes as long as a request, and knows whether it began beside another one. */
class WatchedUsers extends InMemoryUsers {
  request: () => Promise<unknown> = () => Promise.resolve();
  readonly begunAlone: boolean[] = [];
  readonly emails = new Set<string>();
  private inFlight = 0;

  override async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    this.begunAlone.push(this.inFlight === 0);
    this.inFlight += 1;
    try {
      await this.request();
    } finally {
      this.inFlight -= 1;
    }
    for (const { email } of registrations) this.emails.add(email);
    return new Map(registrations.map((each) => [each.email, buildUser(each)]));
  }
}

/** The share of a backlog's writes that began alone, when each takes as long as a request for this path. */
async function drain(path: string): Promise<number> {
  const env = await isolatedServers();
  await createTopics(env);
  for (let nth = 0; nth < SENDS; nth += 1) await produce(env, PARTITIONS.flatMap(buildMessages));
  const users = new WatchedUsers();

  const service = await startUnready(env, { users });
  users.request = () => service.http.get(path).expect(200);
  try {
    await drained(env);
  } finally {
    await service.stop();
  }

  expect(users.emails.size).toBe(SENDS * PARTITIONS.length * RECORDS_PER_SEND);
  return users.begunAlone.filter((isAlone) => isAlone).length / users.begunAlone.length;
}

describe('a backlog', () => {
  afterEach(() => jest.restoreAllMocks());

  it('is written one batch at a time while requests come in', async () => {
    expect(await drain('/api/users')).toBeGreaterThan(0.7);
  });

  it('is written by all partitions at once while only health checks come in', async () => {
    expect(await drain('/api/health/live')).toBeLessThan(0.5);
  });

  it('is written by all partitions at once while requests are shed: it must not grow by what is accepted', async () => {
    jest.spyOn(LoadShedder.prototype, 'lastShedAt', 'get').mockImplementation(() => performance.now());

    expect(await drain('/api/users')).toBeLessThan(0.5);
  });
});
