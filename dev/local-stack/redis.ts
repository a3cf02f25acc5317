import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LocalServer } from './local-server';
import { fetchServers } from './server-files';
import type { ServerRecipe } from './server-recipe';
import { currentVariant } from './variant';

const oldestMajorVersion = 7;

/** What a local Redis is started with. */
export interface RedisOptions {
  /** Holds a folder and a log of its name. */
  readonly dataDir: string;
  /** True keeps the data over a restart (append-only file, synced each second); false forgets them. */
  readonly durable: boolean;
  readonly report: (line: string) => void;
}

/** Starts Redis. */
export async function startRedis(options: RedisOptions): Promise<LocalServer> {
  return LocalServer.start(await prepareRedis('redis', options));
}

/** Prepares the start of a Redis: the machine's own if it is new enough, otherwise the fetched one. */
export async function prepareRedis(
  name: string,
  { dataDir, durable, report }: RedisOptions,
  settings: readonly string[] = [],
): Promise<ServerRecipe> {
  const folder = join(dataDir, name);
  await mkdir(folder, { recursive: true });
  const file = currentVariant().redisProgram ?? (await findRedis(report));

  const data = ['--dir', folder, '--save', '', '--appendonly', durable ? 'yes' : 'no'];
  // Without its own process title the command line keeps naming the data folder, by which leftovers are known.
  const flags = ['--bind', '127.0.0.1', '--set-proc-title', 'no', ...data];
  return {
    name,
    log: `${folder}.log`,
    stopSignal: 'SIGINT',
    command: (port) => Promise.resolve({ file, args: ['--port', String(port), ...flags, ...settings] }),
    ping,
  };
}

async function findRedis(report: RedisOptions['report']): Promise<string> {
  return (await isOwnRedisUsable()) ? 'redis-server' : (await fetchServers(report)).redisProgram;
}

async function isOwnRedisUsable(): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)('redis-server', ['--version']);
    return Number(/ v=(\d+)\./.exec(stdout)?.[1]) >= oldestMajorVersion;
  } catch {
    return false;
  }
}

function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (answer) => {
      socket.destroy();
      // It answers -LOADING while it reads its append-only file.
      if (answer.toString().startsWith('+PONG')) resolve();
      else reject(new Error(answer.toString()));
    });
    socket.once('close', () => reject(new Error('closed without an answer')));
  });
}
