import type { Message } from 'kafkajs';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/stored-user';
import { buildRegistration, buildUser } from '../support/builders';
import { eventually } from '../support/eventually';
import { InMemoryUsers } from '../support/fakes';
import { startUnready, type TestService } from '../support/harness';
import { createTopics, lag, produce } from '../support/kafka-tools';
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
  end: () => void = () => undefined;
  readonly begunAlone: boolean[] = [];
  readonly emails = new Set<string>();
  private underWay = 0;

  override async insertMissing(registrations: readonly Registration[]): Promise<Map<string, User>> {
    this.begunAlone.push(this.underWay === 0);
    this.underWay += 1;
    try {
      await this.request();
    } finally {
      this.underWay -= 1;
    }
    for (const { email } of registrations) this.emails.add(email);
    return new Map(registrations.map((each) => [each.email, buildUser(each)]));
  }
}

/** Which writes of a backlog began alone, when each takes as long as what `send` makes of the service. */
async function drain(send: (service: TestService, users: WatchedUsers) => WatchedUsers['request']) {
  const env = await isolatedServers();
  await createTopics(env);
  for (let nth = 0; nth < SENDS; nth += 1) await produce(env, PARTITIONS.flatMap(buildMessages));
  const users = new WatchedUsers();

  const service = await startUnready(env, { users });
  users.request = send(service, users);
  try {
    await eventually(async () => expect(await lag(env)).toBe(0));
  } finally {
    users.end();
    await service.stop();
  }

  expect(users.emails.size).toBe(SENDS * PARTITIONS.length * RECORDS_PER_SEND);
  return users.begunAlone;
}

/** Sends a request that is answered. */
const ask =
  (path: string) =>
  ({ http }: TestService) =>
  () =>
    http.get(path).expect(200);

/** More requests than are always let in wait for their answers until the end, and the event loop never rests. */
function overload({ http }: TestService, users: WatchedUsers): void {
  const isOver = new Promise<void>((resolve) => (users.end = resolve));
  users.list = async ({ limit }) => {
    if (limit === 1) await isOver;
    return { users: [], next: undefined };
  };
  let isBusy = true;
  void isOver.then(() => (isBusy = false));
  const keepBusy = (): void => {
    if (isBusy) setImmediate(keepBusy);
  };
  keepBusy();
  void Promise.allSettled(Array.from({ length: 150 }, () => http.get('/api/users?limit=1')));
}

const shareOf = (begunAlone: readonly boolean[]): number =>
  begunAlone.filter((isAlone) => isAlone).length / begunAlone.length;

describe('a backlog', () => {
  it('is written one batch at a time while requests come in', async () => {
    expect(shareOf(await drain(ask('/api/users')))).toBeGreaterThan(0.7);
  });

  it('is written by all partitions at once while none but health checks do', async () => {
    expect(shareOf(await drain(ask('/api/health/live')))).toBeLessThan(0.5);
  });

  it('is written by all partitions at once while requests are refused: it must not grow by what is accepted', async () => {
    const begunAlone = await drain((service, users) => {
      overload(service, users);
      return () => eventually(() => service.http.get('/api/users').expect(503));
    });

    expect(shareOf(begunAlone)).toBeLessThan(0.5);
  });
});
