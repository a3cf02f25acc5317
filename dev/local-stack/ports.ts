import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

// Below the range from which systems give ports to outgoing connections: otherwise a client that keeps
// reconnecting to a stopped server can be given that very port, connect to itself and keep it from coming back.
const lowest = 20_000;
const highest = 32_000;
const attempts = 3;

// A port that was given to a server that does not listen yet looks free, too.
const given = new Set<number>();

type Ports = readonly [number, ...number[]];

/** Lets `use` start servers on ports from chooseFreePort; on others if another program takes one meanwhile. */
export async function onFreePorts<T>(count: number, use: (ports: Ports) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const ports = await chooseFreePorts(count);
    try {
      return await use(ports);
    } catch (error) {
      const areFree = await Promise.all(ports.map(isPairFree));
      if (attempt === attempts || areFree.every(Boolean)) throw error;
    }
  }
}

async function chooseFreePorts(count: number): Promise<Ports> {
  const ports: [number, ...number[]] = [await chooseFreePort()];
  while (ports.length < count) ports.push(await chooseFreePort());
  return ports;
}

/**
 * A free port, given once in this process; the one above it is free too (Kafka needs a pair, and the same one after a
 * restart).
 */
export async function chooseFreePort(): Promise<number> {
  for (;;) {
    // All were given once: whether one is still in use is checked below.
    if (given.size === (highest - lowest) / 2) given.clear();
    const port = 2 * randomInt(lowest / 2, highest / 2);
    if (given.has(port)) continue;
    given.add(port);
    if (await isPairFree(port)) return port;
  }
}

/** Whether a port from chooseFreePort, and the one above it, are free (still, or again). */
export async function isPairFree(port: number): Promise<boolean> {
  return (await isPortFree(port, '127.0.0.1')) && (await isPortFree(port + 1, '127.0.0.1'));
}

/** Whether a server could listen on the port now, on `host` or, without it, on every address. */
export function isPortFree(port: number, host?: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, ...(host !== undefined && { host }) }, () => probe.close(() => resolve(true)));
  });
}
