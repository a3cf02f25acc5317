import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A command that Redis was given: by whom (`lua`: a script), in which database, and its words as Redis quotes them. */
export interface MonitoredCommand {
  readonly database: string;
  readonly source: string;
  readonly args: readonly string[];
}

/**
 * Hands over every command that all clients of these servers (their URLs, with commas between them) give from now on, until
 * it is stopped. Not ioredis' monitor(): that fails when a command arrives in one packet with the OK to MONITOR.
 */
export async function monitorRedis(
  urls: string,
  take: (command: MonitoredCommand) => void,
): Promise<{ stop(): void }> {
  const sockets = await Promise.all(urls.split(',').map((url) => monitorServer(url, take)));
  return { stop: () => sockets.forEach((socket) => socket.destroy()) };
}

async function monitorServer(url: string, take: (command: MonitoredCommand) => void): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    createInterface(socket).on('line', (line) => {
      if (line === '+OK') resolve();
      else if (line.startsWith('-')) reject(new Error(line));
      else take(parse(line));
    });
    socket.write('MONITOR\r\n');
  });
  return socket;
}

// +1700000000.000001 [8 127.0.0.1:33914] "get" "user:completed:a@example.com"
function parse(line: string): MonitoredCommand {
  const [, database = '', source = '', words = ''] = /^\+\S+ \[(\d+) (\S+)\] (.*)$/.exec(line) ?? [];
  return { database, source, args: [...words.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => word) };
}
