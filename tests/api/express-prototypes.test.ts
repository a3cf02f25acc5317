import express from 'express';
import supertest from 'supertest';
import { HTTP_LIMITS } from '../../src/http/timeouts-and-limits';
import { HttpServer } from '../../src/http/server';
import { RecordingLogger } from '../support/recording-logger';

/** An app that uses what Express adds to requests and responses, on the server that gives them their prototypes. */
async function startApp() {
  const app = express();
  app.set('trust proxy', 1);
  const prototypes = new Set<unknown>();
  app.use((req, res, next) => {
    prototypes.add(Object.getPrototypeOf(req)).add(Object.getPrototypeOf(res));
    next();
  });
  app.get('/json/:name', (req, res) => {
    const { params, query, ip, protocol, path, app: ownApp } = req;
    res.status(202).json({ params, query, ip, protocol, path, host: req.get('host'), own: ownApp === app });
  });
  app.get('/redirect', (_req, res) => res.redirect(303, '/json/there'));
  app.get('/locals', (_req, res) => {
    res.locals['seen'] = true;
    res.type('txt').send(String(res.locals['seen']));
  });
  app.get('/async-error', () => Promise.reject(new Error('thrown')));
  app.use(((error: Error, _req, res, next) => {
    if (res.headersSent) next(error);
    else res.status(500).json({ error: error.message });
  }) satisfies express.ErrorRequestHandler);

  const server = new HttpServer({
    port: 0,
    app,
    recordRequest: () => undefined,
    log: new RecordingLogger(),
    limits: HTTP_LIMITS,
  });
  await server.start();
  return { http: supertest(`http://127.0.0.1:${server.address.port}`), prototypes, server };
}

let running: Awaited<ReturnType<typeof startApp>>;

beforeAll(async () => {
  running = await startApp();
});

afterAll(() => running.server.stop());

describe('Express on requests and responses that have its prototypes from the start', () => {
  it('knows params, query, headers, the app, and the address that a trusted proxy tells', async () => {
    await running.http
      .get('/json/someone?limit=3')
      .set('Host', 'api.example.com')
      .set('X-Forwarded-For', '192.0.2.7')
      .set('X-Forwarded-Proto', 'https')
      .expect(202, {
        params: { name: 'someone' },
        query: { limit: '3' },
        ip: '192.0.2.7',
        protocol: 'https',
        path: '/json/someone',
        host: 'api.example.com',
        own: true,
      });
  });

  it('redirects, sends text, keeps locals, and hands errors to the error handler', async () => {
    await running.http.get('/redirect').expect(303).expect('Location', '/json/there');
    await running.http
      .get('/locals')
      .expect(200, 'true')
      .expect('Content-Type', /^text\/plain/);
    await running.http.get('/async-error').expect(500, { error: 'thrown' });
    await running.http.get('/nowhere').expect(404);
  });

  it('never gives one another prototype', async () => {
    for (const path of ['/json/a', '/locals', '/redirect']) await running.http.get(path);

    expect(running.prototypes.size).toBe(2);
    for (const prototype of running.prototypes) {
      expect((prototype as object).constructor.name).toMatch(/^Express(Request|Response)$/);
    }
  });
});
