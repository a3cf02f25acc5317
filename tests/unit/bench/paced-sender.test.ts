import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendPaced } from '../../../dev/bench/paced-sender';

const defaults = (url: string) => ({ url, rate: 100, emailPrefix: 'paced', countFrom: Date.now() });

describe('sendPaced', () => {
  let server: Server | undefined;
  const listen = async (posted: RequestListener): Promise<string> => {
    server = createServer((req, res) => {
      req.resume();
      if (req.method === 'POST') posted(req, res);
      else res.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/users`;
  };
  afterEach(() => server?.close());

  it('spreads the requests over the time', async () => {
    const arrivedAt: number[] = [];
    const url = await listen((_req, res) => {
      arrivedAt.push(performance.now());
      res.writeHead(201).end();
    });
    const result = await sendPaced({ ...defaults(url), seconds: 1, connections: 4 });

    expect(result).toMatchObject({ good: 100, bad: 0 });
    const middle = (arrivedAt[50] ?? NaN) - (arrivedAt[0] ?? NaN);
    expect(middle).toBeGreaterThan(400);
  });

  it('counts the wait for a connection, and goes on sending meanwhile', async () => {
    const url = await listen((_req, res) => void setTimeout(() => res.writeHead(201).end(), 40));
    const result = await sendPaced({ ...defaults(url), seconds: 0.5, connections: 1 });

    expect(result.good).toBe(50);
    // The last one is due after 490 ms, and 49 others take 40 ms each before it.
    expect(result.p99Ms).toBeGreaterThan(1400);
    expect(result.p50Ms).toBeGreaterThan(700);
  });

  it('tells accepted requests from rejected ones and from those without a response', async () => {
    let posts = 0;
    const url = await listen((req, res) => {
      posts += 1;
      if (posts % 4 === 0) res.writeHead(201).end();
      else if (posts % 4 === 2) setTimeout(() => req.socket.destroy(), 1000);
      else setTimeout(() => res.writeHead(503).end(), 1000);
    });
    const result = await sendPaced({ ...defaults(url), seconds: 0.4, connections: 40 });

    expect(result).toMatchObject({ good: 10, bad: 30 });
    // Counted together with the others, which take 1 s, it would be theirs.
    expect(result.p99Ms).toBeGreaterThanOrEqual(999);
    expect(result.goodP99Ms).toBeLessThan(999);
  });

  it('leaves out what was due before it counts', async () => {
    let posts = 0;
    const url = await listen((_req, res) => {
      posts += 1;
      res.writeHead(201).end();
    });
    const countFrom = Date.now() + 500;
    const result = await sendPaced({ ...defaults(url), seconds: 0.2, connections: 2, countFrom });

    expect(result.good).toBeGreaterThanOrEqual(19);
    expect(result.good).toBeLessThanOrEqual(21);
    expect(result.accepted).toBe(posts);
    expect(posts).toBeGreaterThan(result.good);
  });
});
