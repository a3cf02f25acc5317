import { randomBytes } from 'node:crypto';
import type { Registration } from '../../src/domain/registration';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { produce, readAll } from '../support/kafka-tools';
import { postJson, type RawAnswer } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { isolatedServers, sql, type Env } from '../support/test-servers';
import { TraceCollector, type CollectedSpan } from '../support/trace-collector';

const WHOLE_TRACE = ['INSERT users', 'POST /api/users', 'process', 'send'];

let env: Env;
let collector: TraceCollector;

beforeEach(async () => {
  env = await isolatedServers();
  collector = await TraceCollector.start();
});

/** What a caller sends that traces, too. */
function caller(flags: '00' | '01' = '01') {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

const post = (
  service: ServiceProcess,
  registration: Registration,
  headers: Record<string, string> = {},
): Promise<RawAnswer> => postJson(`${service.url}/api/users`, registration, headers);

const start = (variables: Env = {}): Promise<ServiceProcess> =>
  ServiceProcess.start({ ...env, ...collector.env, ...variables });

const spansOf = (traceId: string): CollectedSpan[] =>
  collector.spans.filter((span) => span.traceId === traceId);

/** The topic's name differs from test to test. */
const namesOf = (spans: readonly CollectedSpan[]): string[] =>
  spans.map(({ name }) => name.replace(` ${env['KAFKA_TOPIC'] ?? ''}`, '')).sort();

const named = (spans: readonly CollectedSpan[], name: string): CollectedSpan => {
  const found = spans.filter((span) => span.name.startsWith(name));
  expect(found).toHaveLength(1);
  return found[0] as CollectedSpan;
};

const expectWholeTrace = (traceId: string): Promise<void> =>
  eventually(() => expect(namesOf(spansOf(traceId))).toEqual(WHOLE_TRACE));

describe('a registration', () => {
  it('is one trace from the caller’s request to the row, across processes', async () => {
    const api = await start({
      CONSUMER_ENABLED: 'false',
      OTEL_SERVICE_NAME: 'the-api',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-team=users',
    });
    const writer = await start();
    const { traceId, spanId, headers } = caller();

    const answer = await post(api, buildRegistration(), { ...headers, 'X-Request-Id': 'request-7' });

    expect(answer.status).toBe(201);
    await expectWholeTrace(traceId);
    const spans = spansOf(traceId);
    const [request, send] = [named(spans, 'POST'), named(spans, 'send')];
    const [process, insert] = [named(spans, 'process'), named(spans, 'INSERT')];
    expect(request).toMatchObject({ parentSpanId: spanId, service: 'the-api' });
    expect(send).toMatchObject({ parentSpanId: request.spanId, service: 'the-api' });
    expect(process).toMatchObject({ parentSpanId: send.spanId, service: 'user-registration-backend' });
    expect(insert).toMatchObject({ parentSpanId: process.spanId, service: 'user-registration-backend' });
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/api/users',
      'http.response.status_code': 201,
      'request.id': 'request-7',
    });
    expect(process.attributes).toMatchObject({ 'request.id': 'request-7' });
    const [record] = await readAll(env, env['KAFKA_TOPIC'] ?? '');
    expect(record?.headers['traceparent']).toBe(`00-${traceId}-${send.spanId}-01`);
    expect(collector.headers.some((sent) => sent['x-team'] === 'users')).toBe(true);
    expect(await api.stop()).toBe(0);
    expect(await writer.stop()).toBe(0);
  });

  it('starts a trace of its own when the caller has none; probes start none', async () => {
    const service = await start();

    await post(service, buildRegistration());
    await post(service, buildRegistration(), { traceparent: 'nonsense' });

    await eventually(() => expect(collector.spans).toHaveLength(2 * WHOLE_TRACE.length));
    expect(await service.stop()).toBe(0);
    const traces = [...new Set(collector.spans.map(({ traceId }) => traceId))];
    expect(traces.map((traceId) => namesOf(spansOf(traceId)))).toEqual([WHOLE_TRACE, WHOLE_TRACE]);
    expect(collector.spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(2);
  });

  it('is not recorded when the caller or the sampler says so', async () => {
    const service = await start();
    const [unsampled, sampled] = [caller('00'), caller()];
    await post(service, buildRegistration(), unsampled.headers);
    await post(service, buildRegistration(), sampled.headers);
    await expectWholeTrace(sampled.traceId);
    await service.stop();
    const silent = await start({ OTEL_TRACES_SAMPLER: 'always_off' });
    await post(silent, buildRegistration(), caller().headers);
    await silent.stop();

    expect(new Set(collector.spans.map(({ traceId }) => traceId))).toEqual(new Set([sampled.traceId]));
  });
});

describe('registrations that wait for PostgreSQL', () => {
  const renameTable = () => sql(env, 'ALTER TABLE users RENAME TO users_away');
  const restoreTable = () => sql(env, 'ALTER TABLE users_away RENAME TO users');
  const waiting = (service: ServiceProcess) =>
    eventually(() => expect(service.output).toContain('batch write failed, retrying'));

  it('keep their traces apart in one batch', async () => {
    const service = await start();
    await renameTable();
    const callers = Array.from({ length: 40 }, () => caller());
    const answers = await Promise.all(
      callers.map(({ headers }) => post(service, buildRegistration(), headers)),
    );
    await waiting(service);

    await restoreTable();

    expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
    for (const { traceId } of callers) await expectWholeTrace(traceId);
    const sizes = collector.spans.map(({ attributes }) => Number(attributes['db.operation.batch.size'] ?? 0));
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    expect(await service.stop()).toBe(0);
  });
});

describe('what fails', () => {
  it('says so in its trace, by a fixed word', async () => {
    const service = await start();
    const first = buildRegistration();
    const [conflict, invalid] = [caller(), caller()];
    const message = (value: unknown, headers: Record<string, string>) => ({
      key: first.email,
      value: JSON.stringify(value),
      headers,
    });

    await produce(env, [
      message(first, {}),
      message({ ...first, firstName: 'Other' }, conflict.headers),
      message({ ...first, gender: 'unknown' }, invalid.headers),
    ]);

    await eventually(() => expect(namesOf(spansOf(invalid.traceId))).toEqual(['process']));
    expect(namesOf(spansOf(conflict.traceId))).toEqual(['INSERT users', 'process']);
    const failureOf = ({ traceId }: { traceId: string }): unknown =>
      named(spansOf(traceId), 'process').attributes['error.type'];
    expect([conflict, invalid].map(failureOf)).toEqual(['conflict', 'invalid']);
    expect(await service.stop()).toBe(0);
  });
});

describe('a collector', () => {
  const outages = (service: ServiceProcess): number =>
    service.output.match(/traces cannot be delivered/g)?.length ?? 0;

  it('that rejects spans is reported once, and once when it accepts them again', async () => {
    const service = await start();
    collector.status = 400;
    await post(service, buildRegistration());
    await eventually(() => expect(outages(service)).toBe(1));
    const received = collector.headers.length;
    await post(service, buildRegistration());
    await eventually(() => expect(collector.headers.length).toBeGreaterThan(received));
    collector.status = 200;

    await post(service, buildRegistration());

    await eventually(() => expect(service.output).toContain('traces are delivered again'));
    expect(outages(service)).toBe(1);
    expect(await service.stop()).toBe(0);
  });

  it.each([
    ['is not there', () => collector.stop()],
    ['never answers', () => (collector.status = undefined)],
  ])('that %s costs requests nothing and holds up no stop', async (_, fail) => {
    const service = await start();
    fail();

    const answers = await Promise.all(Array.from({ length: 50 }, () => post(service, buildRegistration())));
    await eventually(async () => expect(await sql(env, 'SELECT id FROM users')).toHaveLength(50));
    const stoppingAt = performance.now();
    const code = await service.stop();

    expect(answers.filter(({ status }) => status !== 201)).toEqual([]);
    expect(code).toBe(0);
    expect(performance.now() - stoppingAt).toBeLessThan(10_000);
    expect(outages(service)).toBeLessThanOrEqual(1);
  });
});
