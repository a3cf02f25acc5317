import supertest from 'supertest';
import { compose, type Overrides } from '../../src/compose';
import { loadConfig } from '../../src/config/config';
import { eventually } from './eventually';
import { RecordingLogger } from './recording-logger';
import { isolatedServers, type Env } from './test-servers';
import { watchAnswers } from './watch-responses';

/** The production service in this process, on real servers of its own; all its answers are held against the OpenAPI document. */
export interface TestService {
  /** Its environment variables. */
  readonly env: Env;
  readonly url: string;
  readonly metricsUrl: string;
  readonly log: RecordingLogger;
  readonly http: ReturnType<typeof supertest>;
  /** Whether all stopped cleanly. What a suite does not stop is stopped after it. */
  stop(): Promise<boolean>;
}

const STOP_TIMEOUT_MS = 25_000;
const FAST_AND_QUIET: Env = {
  NODE_ENV: 'test',
  PORT: '0',
  METRICS_PORT: '0',
  MIGRATE_ON_START: 'false',
  RATE_LIMIT_MAX: '1000000',
};

const started: TestService[] = [];

// Jest runs this before the afterAll of the file: services go before the servers that the file brought.
afterAll(() => Promise.all(started.map((service) => service.stop())));

/** Starts the service with these variables over the defaults of tests; resolves when it is ready. */
export async function startService(variables: Env = {}, overrides: Overrides = {}): Promise<TestService> {
  const service = await startUnready({ ...(await isolatedServers()), ...variables }, overrides);
  await eventually(() => service.http.get('/api/health/ready').expect(200));
  return service;
}

/** The same on servers of the caller's choice, whether they are there or not. */
export async function startUnready(variables: Env, overrides: Overrides = {}): Promise<TestService> {
  const env = { ...FAST_AND_QUIET, ...variables };
  const log = new RecordingLogger();
  const { lifecycle, server, metricsServer } = await compose(loadConfig(env), log, overrides);
  await lifecycle.start();
  watchAnswers(server.address.port);
  const url = `http://127.0.0.1:${server.address.port}`;
  const metricsUrl = `http://127.0.0.1:${metricsServer.address.port}`;
  const service = {
    env,
    url,
    metricsUrl,
    log,
    http: supertest(url),
    stop: () => lifecycle.stop(STOP_TIMEOUT_MS),
  };
  started.push(service);
  return service;
}
