import { Redis } from 'ioredis';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';

let service: TestService;
const commands: string[][] = [];
let watcher: Redis;
let monitor: Redis;

beforeAll(async () => {
  service = await startService();
  const url = service.env['REDIS_URL'] ?? '';
  watcher = new Redis(url);
  monitor = await watcher.monitor();
  const database = new URL(url).pathname.slice(1);
  monitor.on('monitor', (_time: string, args: string[], source: string, from: string) => {
    if (from === database && source !== 'lua') commands.push(args);
  });
});

afterAll(() => {
  monitor.disconnect();
  watcher.disconnect();
});

/** How many keys the command names; those of scripts stand behind their number. */
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
  it('names one key a command, so that it would work on a cluster', async () => {
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
    expect(
      [...used].filter((name) => !['set', 'get', 'del', 'eval', 'evalsha', 'exists'].includes(name)),
    ).toEqual([]);
  });
});
