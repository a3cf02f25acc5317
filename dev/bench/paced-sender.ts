import { Agent, request } from 'node:http';
import type { PacedOptions, PacedResult } from './load-options';
import { sampleRegistration } from './sample-registration';
import { quantile } from './statistics';

const tickMs = 1;
/** The sender's own code is compiled in this time; cold, it would be most of the p99. */
const warmUpMs = 2000;
const responseLimitMs = 10_000;

/**
 * Sends request n at start + n / rate and measures from then on, so that neither a slow response nor a late sender makes
 * the load smaller or the times shorter (no coordinated omission).
 */
export async function sendPaced(options: PacedOptions): Promise<PacedResult> {
  const { url, seconds, connections, rate, emailPrefix } = options;
  // In turn, so that no connection is idle until the server closes it.
  const sockets = { maxSockets: connections, maxFreeSockets: connections, scheduling: 'fifo' } as const;
  const agent = new Agent({ keepAlive: true, ...sockets });
  await openAll(agent, url, connections);

  const startedAt = performance.now();
  const { countFrom = Date.now() + warmUpMs } = options;
  const leadMs = Math.max(0, countFrom - Date.now());
  const total = Math.floor(((leadMs + seconds * 1000) / 1000) * rate);
  let accepted = 0;
  const goodMs: number[] = [];
  const badMs: number[] = [];
  const send = async (nth: number): Promise<void> => {
    const dueMs = (nth * 1000) / rate;
    const status = await post(agent, url, sampleRegistration(`${emailPrefix}-${nth}@example.com`));
    const isGood = status >= 200 && status < 300;
    if (isGood) accepted += 1;
    if (dueMs >= leadMs) (isGood ? goodMs : badMs).push(performance.now() - startedAt - dueMs);
  };
  await new Promise<void>((resolve) => {
    let sent = 0;
    let ended = 0;
    const end = (): void => {
      ended += 1;
      if (ended === total) resolve();
    };
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate) + 1);
      for (; sent < due; sent += 1) void send(sent).then(end);
      if (sent === total) clearInterval(timer);
    }, tickMs);
  });
  agent.destroy();
  return { accepted, ...toResult(goodMs, badMs) };
}

/** Connecting is no part of a response time. */
async function openAll(agent: Agent, url: string, connections: number): Promise<void> {
  const health = new URL('/api/health/ready', url).href;
  await Promise.all(Array.from({ length: connections }, () => ask(agent, health, 'GET')));
}

function post(agent: Agent, url: string, body: object): Promise<number> {
  return ask(agent, url, 'POST', JSON.stringify(body));
}

/** Resolves to the status of the whole response; 0: the connection was refused or cut, or the time was over. */
function ask(agent: Agent, url: string, method: string, body?: string): Promise<number> {
  const headers = body !== undefined && {
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
  };
  return new Promise((resolve) => {
    const sent = request(url, { agent, method, timeout: responseLimitMs, ...headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', () => resolve(0));
    });
    sent.once('timeout', () => sent.destroy());
    sent.on('error', () => resolve(0));
    sent.end(body);
  });
}

function toResult(goodMs: readonly number[], badMs: readonly number[]): Omit<PacedResult, 'accepted'> {
  const allMs = [...goodMs, ...badMs];
  return {
    good: goodMs.length,
    bad: badMs.length,
    p50Ms: quantile(allMs, 0.5),
    p99Ms: quantile(allMs, 0.99),
    goodP99Ms: quantile(goodMs, 0.99),
  };
}
