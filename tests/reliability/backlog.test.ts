import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/user';
import { buildRegistration, buildUser } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes';
import { startUnready } from '../support/harness';
import { createTopics, lag, produce } from '../support/kafka-tools';
import { isolatedServers } from '../support/test-servers';

const PARTITIONS = [0, 1, 2];
const SENDS = 14;
/** For each partition: a record batch so small that a fetch brings some of all partitions. */
const RECORDS_PER_SEND = 300;
const REQUESTS_PER_WRITE = 10;

function buildMessages(partition: number): Message[] {
  return Array.from({ length: RECORDS_PER_SEND }, () => {
    const registration = buildRegistration();
    return { partition, key: registration.email, value: JSON.stringify(registration) };
  });
}

/** Writes nothing: each write takes as long as some requests, and knows whether it began beside another one. */
class WatchedUsers extends InMemoryUsers {
  ask: () => Promise<unknown> = () => Promise.resolve();
  readonly begunAlone: boolean[] = [];
  private underWay = 0;

  override async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    this.begunAlone.push(this.underWay === 0);
    this.underWay += 1;
    for (let nth = 0; nth < REQUESTS_PER_WRITE; nth += 1) await this.ask();
    this.underWay -= 1;
    return new Map(registrations.map((each) => [each.email, buildUser(each)]));
  }
}

describe('a backlog', () => {
  it('is written one batch at a time once requests come in meanwhile', async () => {
    const env = await isolatedServers();
    await createTopics(env);
    for (let nth = 0; nth < SENDS; nth += 1) await produce(env, PARTITIONS.flatMap(buildMessages));
    const users = new WatchedUsers();

    const service = await startUnready(env, { users });
    users.ask = () => service.http.get('/api/health').expect(200);
    await eventually(async () => expect(await lag(env)).toBe(0));
    await service.stop();

    const secondHalf = users.begunAlone.slice(users.begunAlone.length / 2);
    expect(secondHalf.length).toBeGreaterThan(5);
    expect(secondHalf.filter((isAlone) => isAlone).length).toBeGreaterThan(secondHalf.length / 2);
  });
});
