import { TcpProxy } from '../../dev/faults/tcp-proxy';
import type { RedisConnection } from '../../src/redis/connection';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { connectRedis } from '../support/redis-connection';
import { monitorRedis } from '../support/redis-monitor';

// A new one needs a case in keysOf().
const COMMANDS = ['set', 'get', 'del', 'eval', 'evalsha', 'exists'];

let service: TestService;
const commands: (readonly string[])[] = [];
let monitor: Awaited<ReturnType<typeof monitorRedis>>;

beforeAll(async () => {
  service = await startService();
  const url = service.env['REDIS_URL'] ?? '';
  const own = new URL(url).pathname.slice(1);
  monitor = await monitorRedis(url, ({ database, source, args }) => {
    if (database === own && source !== 'lua') commands.push(args);
  });
});

afterAll(() => {
  monitor.stop();
});

/** How many keys the command names; a script's follow their number. */
function keysOf([name = '', ...args]: readonly string[]): number {
  switch (name.toLowerCase()) {
    case 'eval':
    case 'evalsha':
      return Number(args[1]);
    case 'del':
    case 'exists':
      return args.length;
    default:
      return 1;
  }
}

describe('what the service asks of Redis', () => {
  it('names one key a command, as a cluster needs it', async () => {
    const registrations = Array.from({ length: 30 }, () => buildRegistration());

    await Promise.all(registrations.map((each) => service.http.post('/api/users').send(each).expect(201)));
    const [first = buildRegistration()] = registrations;
    const withKey = service.http.post('/api/users').set('Idempotency-Key', `key-of-${first.email}`);
    await withKey.send(buildRegistration()).expect(201);
    await eventually(() => service.http.get(`/api/users/${first.email}`).expect(200));
    await eventually(() => {
      const names = commands.map(
        ([name = '', key = '']) => `${name.toLowerCase()} ${key.split(':', 2).join(':')}`,
      );
      expect(names.filter((name) => name === 'del user:pending').length).toBeGreaterThan(
        registrations.length,
      );
    });

    expect(commands.filter((command) => keysOf(command) !== 1)).toEqual([]);
    const used = new Set(commands.map(([name = '']) => name.toLowerCase()));
    expect([...used].filter((name) => !COMMANDS.includes(name))).toEqual([]);
  });
});

describe('the commands of one turn of the event loop', () => {
  let proxy: TcpProxy;
  let connection: RedisConnection;

  beforeEach(async () => {
    const target = new URL(service.env['REDIS_URL'] ?? '');
    proxy = await TcpProxy.start({ host: target.hostname, port: Number(target.port) });
    connection = await connectRedis({ REDIS_URL: `redis://${proxy.host}:${proxy.port}` });
  });

  afterEach(async () => {
    await connection.stop();
    await proxy.refuse();
  });

  const ask = (): Promise<string | null>[] =>
    Array.from({ length: 50 }, (_, nth) => connection.run(5000, (redis) => redis.get(`nothing:${nth}`)));

  it('leave in one packet, and those of the next turn in the next', async () => {
    const packets: string[] = [];
    proxy.intercept((packet, direction) => {
      if (direction === 'request') packets.push(packet.toString());
      return true;
    });

    for (const turn of [1, 2]) {
      expect(await Promise.all(ask())).toEqual(Array(50).fill(null));
      expect(packets).toHaveLength(turn);
    }

    expect(packets.map((packet) => packet.split('nothing:').length - 1)).toEqual([50, 50]);
  });

  it('all end when the connection is cut in that turn, and the next connection works', async () => {
    const asked = ask();
    await proxy.refuse();

    const ends = await Promise.allSettled(asked);
    expect(ends.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));

    await proxy.heal();
    await eventually(() => connection.check());
    expect(await Promise.all(ask())).toEqual(Array(50).fill(null));
  });
});
