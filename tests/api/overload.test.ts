import express from 'express';
import supertest from 'supertest';
import { createRefusal } from '../../src/routes/refusal';
import { HttpServer } from '../../src/routes/server';
import { undescribed } from '../support/api-document';
import { RecordingLogger } from '../support/recording-logger';

const ORIGIN = 'https://app.example.com';

/** A server that has room for no request, in front of an app that answers 200 to everything. */
async function startFull() {
  const measured: unknown[] = [];
  const app = express().use((_req, res) => {
    res.json({ success: true });
  });
  const server = new HttpServer({
    port: 0,
    app,
    admission: {
      isFull: () => true,
      answered: () => undefined,
      refuse: createRefusal([ORIGIN], (...request) => measured.push(request)),
    },
    log: new RecordingLogger(),
  });
  await server.start();
  return { http: supertest(`http://127.0.0.1:${server.address.port}`), measured, server };
}

let full: Awaited<ReturnType<typeof startFull>>;

beforeAll(async () => {
  full = await startFull();
});

afterAll(() => full.server.stop());

describe('a process that has too much to do', () => {
  it('answers 503 with Retry-After and every header that other answers have', async () => {
    const response = await full.http
      .post('/api/users')
      .set({ Origin: ORIGIN, 'X-Request-Id': 'mine' })
      .send({ firstName: 'John' });

    expect(response.status).toBe(503);
    expect(response.body).toEqual({
      success: false,
      error: 'Service temporarily unavailable, please retry',
    });
    expect(response.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '2',
      'access-control-allow-origin': ORIGIN,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'mine',
      vary: 'Origin',
    });
    const { status, headers, text: body } = response;
    expect(undescribed({ method: 'POST', path: '/api/users', status, headers, body })).toEqual([]);
  });

  it('tells other origins nothing, and makes up for a request id that is not sane', async () => {
    const response = await full.http
      .get('/api/users')
      .set({ Origin: 'https://evil.example', 'X-Request-Id': 'a b' });

    expect(response.status).toBe(503);
    expect(response.headers['access-control-allow-origin']).toBeUndefined();
    expect(response.headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
  });

  it('answers probes all the same: it is busy, not dead', async () => {
    const response = await full.http.get('/api/health/live');

    expect(response.status).toBe(200);
  });

  it('counts what it refuses', async () => {
    full.measured.length = 0;

    await full.http.post('/api/users');

    expect(full.measured).toEqual([['POST', 'refused', 503, 0]]);
  });
});
