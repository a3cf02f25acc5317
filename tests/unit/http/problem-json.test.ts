import { STATUS_CODES } from 'node:http';
import { MemoryStore } from 'express-rate-limit';
import { loadConfig } from '../../../src/config/config';
import { UnavailableError } from '../../../src/domain/errors';
import { ERRORS, httpError, type ErrorName } from '../../../src/http/error-catalogue';
import { LoadShedder } from '../../../src/http/load-shedder';
import { HTTP_LIMITS } from '../../../src/http/timeouts-and-limits';
import { HttpServer } from '../../../src/http/server';
import { schemas } from '../../../src/openapi/schemas';
import { createApp } from '../../../src/routes/app';
import { undescribed } from '../../support/api-document';
import { buildRegistration } from '../../support/builders';
import { postJson, send, type RawAnswer } from '../../support/raw-http';
import { RecordingLogger } from '../../support/recording-logger';

const PROBLEM = 'application/problem+json';
const JSON_TYPE = 'application/json; charset=utf-8';

let failure = new Error();
let server: HttpServer;
let users: string;

const fail = (): Promise<never> => Promise.reject(failure);

beforeAll(async () => {
  const log = new RecordingLogger();
  const recordRequest = (): void => undefined;
  const app = createApp({
    config: loadConfig({ RATE_LIMIT_MAX: '1000000' }).http,
    health: { report: () => ({ message: 'Degraded' }), isAlive: () => false, isReady: () => false } as never,
    rateLimitStore: new MemoryStore(),
    recordRequest,
    shedder: new LoadShedder(log),
    log,
    registrations: { register: fail },
    idempotentRegistrations: { register: fail },
    registrationStatus: { find: fail },
    userQueries: { list: fail, findByEmail: fail },
    erasures: { eraseOne: fail },
    kafkaCopiesEnd: () => new Date(),
  });
  server = new HttpServer({ port: 0, app, recordRequest, limits: HTTP_LIMITS, log });
  await server.start();
  users = `http://127.0.0.1:${server.address.port}/api/users`;
});

afterAll(() => server.stop());

const notFound = (accept?: string): Promise<RawAnswer> =>
  send(`${users}/a/b/c`, { headers: accept === undefined ? {} : { Accept: accept } });

describe('what an error is sent as', () => {
  it.each([
    PROBLEM,
    'APPLICATION/Problem+JSON',
    `application/json, ${PROBLEM}`,
    `application/json,${PROBLEM}`,
    `text/html;q=0.9, ${PROBLEM};q=0.001, */*;q=0.1`,
    `${PROBLEM} ; Q = 1.000`,
    `${PROBLEM};charset=utf-8;q=.5`,
    `${PROBLEM};q=0, ${PROBLEM};q=1`,
    `,, ${PROBLEM},`,
    `text/plain;note="a,b", ${PROBLEM}`,
    `${'text/plain;q=0.1,'.repeat(480)}${PROBLEM}`,
  ])('is a problem for Accept: %#', async (accept) => {
    const { status, headers, body } = await notFound(accept);

    expect(headers).toMatchObject({ 'content-type': PROBLEM, vary: 'Origin, Accept' });
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'Not found',
      code: 'not_found',
    });
    expect(status).toBe(404);
  });

  it.each([
    undefined,
    '',
    '*/*',
    'application/*',
    'application/*+json',
    'application/json',
    'application/problem+xml',
    `${PROBLEM}s`,
    `x${PROBLEM}`,
    `${PROBLEM}/x`,
    `${PROBLEM};q=0`,
    `${PROBLEM}; q=0.000, */*`,
    `${PROBLEM};q=`,
    `${PROBLEM};q=much`,
    `${PROBLEM};q=-1`,
    `${PROBLEM};note="a,b";q=0`,
    `application/json ${PROBLEM}`,
    `text/plain;note=",${PROBLEM},"`,
    `"${PROBLEM}`,
    ';;;,,,///"\\"',
    `${'*/*,'.repeat(2000)}*/*`,
  ])('is what it always was for Accept: %#', async (accept) => {
    const { status, headers, body } = await notFound(accept);

    expect(headers).toMatchObject({ 'content-type': JSON_TYPE, vary: 'Origin, Accept' });
    expect(body).toBe('{"success":false,"error":"Not found"}');
    expect(status).toBe(404);
  });

  it('leaves the bodies of health alone, and what is no error', async () => {
    const headers = { Accept: PROBLEM };
    const health = await send(users.replace('users', 'health/ready'), { headers });
    const options = await send(users, { method: 'OPTIONS', headers });

    expect(health).toMatchObject({ status: 503, body: '{"status":"not ready"}' });
    expect(health.headers).toMatchObject({ 'content-type': JSON_TYPE, vary: 'Origin' });
    expect(options).toMatchObject({ status: 204, headers: { vary: 'Origin' } });
  });
});

/** Every error: status, body without that Accept, to the byte, code. */
const BODIES: Readonly<Record<ErrorName, readonly [number, string, string]>> = {
  validationFailed: [
    400,
    '{"success":false,"error":"Validation error: email must be a valid email"}',
    'validation_failed',
  ],
  malformedBody: [400, '{"success":false,"error":"Request body is not valid JSON"}', 'malformed_body'],
  malformedPath: [
    400,
    '{"success":false,"error":"Malformed percent-encoding in the path"}',
    'malformed_request',
  ],
  unreadableBody: [400, '{"success":false,"error":"Bad request"}', 'malformed_body'],
  malformedRequest: [400, '{"success":false,"error":"Request is not valid HTTP"}', 'malformed_request'],
  apiKeyRequired: [401, '{"success":false,"error":"A valid API key is required"}', 'api_key_required'],
  forbidden: [403, '{"success":false,"error":"This API key may not erase"}', 'forbidden'],
  userNotFound: [404, '{"success":false,"error":"User not found"}', 'user_not_found'],
  notFound: [404, '{"success":false,"error":"Not found"}', 'not_found'],
  methodNotAllowed: [405, '{"success":false,"error":"Method not allowed"}', 'method_not_allowed'],
  requestTimeout: [408, '{"success":false,"error":"Request took too long"}', 'request_timeout'],
  alreadyRegistered: [409, '{"success":false,"error":"User already registered"}', 'already_registered'],
  recentlyRegistered: [
    409,
    '{"success":false,"error":"User registered a moment ago, please retry"}',
    'recently_registered',
  ],
  registrationInProgress: [
    409,
    '{"success":false,"error":"Registration already in progress"}',
    'registration_in_progress',
  ],
  requestInProgress: [
    409,
    '{"success":false,"error":"A request with this Idempotency-Key is in progress"}',
    'request_in_progress',
  ],
  bodyTooLarge: [
    413,
    '{"success":false,"error":"Request body is too large (limit 16 kB)"}',
    'body_too_large',
  ],
  unsupportedMediaType: [
    415,
    '{"success":false,"error":"Content-Type must be application/json"}',
    'unsupported_media_type',
  ],
  unsupportedEncoding: [
    415,
    '{"success":false,"error":"Unsupported content encoding or charset"}',
    'unsupported_media_type',
  ],
  idempotencyKeyReused: [
    422,
    '{"success":false,"error":"Idempotency-Key was used with another registration"}',
    'idempotency_key_reused',
  ],
  rateLimited: [429, '{"success":false,"error":"Too many requests, please try again later"}', 'rate_limited'],
  headersTooLarge: [431, '{"success":false,"error":"Request headers are too large"}', 'headers_too_large'],
  internal: [500, '{"success":false,"error":"Internal server error"}', 'internal'],
  unavailable: [
    503,
    '{"success":false,"error":"Service temporarily unavailable, please retry"}',
    'unavailable',
  ],
};

describe.each(Object.entries(BODIES))('%s', (name, [status, body, code]) => {
  const asked = async (headers: Record<string, string>): Promise<RawAnswer> => {
    failure = httpError(name as ErrorName);
    return postJson(users, buildRegistration(), headers);
  };

  it('is the same to the byte unless a problem is asked for', async () => {
    for (const headers of [{}, { Accept: '*/*' }, { Accept: `${PROBLEM};q=0` }]) {
      const response = await asked(headers);

      expect(response).toMatchObject({ status, body });
      expect(response.headers).toMatchObject({ 'content-type': JSON_TYPE, vary: 'Origin, Accept' });
    }
  });

  it('has its code in a problem', async () => {
    const response = await asked({ Accept: PROBLEM });

    const { error: detail } = JSON.parse(body) as { error: string };
    expect(response.body).toBe(
      JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, code }),
    );
    expect(response.status).toBe(status);
    const { retryAfterSeconds } = { retryAfterSeconds: undefined, ...ERRORS[name as ErrorName] };
    expect(response.headers['retry-after']).toBe(retryAfterSeconds?.toString());
  });
});

it('the OpenAPI document has these codes and no others', () => {
  const codes = new Set(Object.values(BODIES).map(([, , code]) => code));

  expect(schemas.Problem.properties['code']).toEqual({ type: 'string', enum: [...codes] });
});

/** Asks for a problem; its members, which the OpenAPI document describes. */
async function problemOf(method: string, path: string, body?: unknown, headers = {}): Promise<unknown> {
  const options = { method, headers: { Accept: PROBLEM, 'Content-Type': 'application/json', ...headers } };
  const answer = await send(`${users}${path}`, options, JSON.stringify(body));
  expect(answer.headers['content-type']).toBe(PROBLEM);
  expect(undescribed({ method, path: `/api/users${path}`, ...answer })).toEqual([]);
  return JSON.parse(answer.body);
}

const invalid = (...errors: readonly (readonly [field: string, message: string])[]): object => ({
  type: 'about:blank',
  title: 'Bad Request',
  status: 400,
  detail: `Validation error: ${errors[0]?.[1] ?? ''}`,
  code: 'validation_failed',
  errors: errors.map(([field, message]) => ({ field, message })),
});

describe('the broken rules in a problem', () => {
  it('are one for each field of a registration, in the order of the rules', async () => {
    const required = ['firstName', 'lastName', 'email', 'gender', 'sex', 'occupation'];

    expect(await problemOf('POST', '', {})).toEqual(
      invalid(...required.map((field) => [field, `${field} is required`] as const)),
    );
    expect(
      await problemOf('POST', '', {
        ...buildRegistration(),
        occupation: '\0',
        sex: null,
        email: 'x'.repeat(2000),
        firstName: ' J ',
      }),
    ).toEqual(
      invalid(
        ['firstName', 'firstName length must be at least 2 characters long'],
        ['email', 'email must be a valid email'],
        ['sex', 'sex must be one of [male, female, intersex]'],
        ['occupation', 'occupation must not contain a NUL or control character'],
      ),
    );
  });

  it.each([[], 5, 'text', null])('name the body that is no registration: %j', async (body) => {
    expect(await problemOf('POST', '', body)).toEqual(invalid(['body', 'body must be of type object']));
  });

  it('name a bad Idempotency-Key, but only of a good registration', async () => {
    const message = 'Idempotency-Key must be 1 to 255 visible ASCII characters without blanks';
    const key = { 'Idempotency-Key': 'a b' };

    expect(await problemOf('POST', '', buildRegistration(), key)).toEqual(
      invalid(['Idempotency-Key', message]),
    );
    expect(await problemOf('POST', '', buildRegistration({ sex: 'x' }), key)).toEqual(
      invalid(['sex', 'sex must be one of [male, female, intersex]']),
    );
  });

  it('name parameters of the query', async () => {
    expect(await problemOf('GET', '?cursor=x&offset=-1&limit=0')).toEqual(
      invalid(
        ['limit', 'limit must be a whole number from 1 to 1000'],
        ['offset', 'offset must be a whole number from 0 to 2147483647'],
        ['cursor', 'cursor must be one that a Link header of this list gave'],
      ),
    );
  });

  it.each(['/nobody', '/nobody/status'])('name the parameter of the path %s', async (path) => {
    expect(await problemOf('GET', path)).toEqual(invalid(['email', 'email must be a valid email']));
  });
});

describe('a problem of Express, the body parser or a dependency', () => {
  it.each([
    ['malformed JSON', 400, 'malformed_body', () => postText('{')],
    ['a bad percent-encoding', 400, 'malformed_request', () => ask('/%zz')],
    ['another method', 405, 'method_not_allowed', () => ask('', { method: 'DELETE' })],
    ['a large body', 413, 'body_too_large', () => postText(JSON.stringify('x'.repeat(20_000)))],
    ['another type', 415, 'unsupported_media_type', () => postText('{}', 'text/plain')],
    ['a transfer encoding of HTTP/1.0', 400, 'malformed_request', () => ask('', { setHost: false })],
    ['PostgreSQL unavailable', 503, 'unavailable', () => ask('', {}, new UnavailableError('unavailable'))],
    ['a crash', 500, 'internal', () => ask('', {}, new TypeError('secret'))],
  ])('has its code: %s', async (_what, status, code, asks) => {
    const { headers, body, ...response } = await asks();

    expect(response.status).toBe(status);
    expect(headers).toMatchObject({ 'content-type': PROBLEM, vary: 'Origin, Accept' });
    expect(JSON.parse(body)).toMatchObject({ status, code });
    expect(body).not.toContain('secret');
  });

  function ask(path: string, options: object = {}, reason = new Error()): Promise<RawAnswer> {
    failure = reason;
    return send(`${users}${path}`, { headers: { Accept: PROBLEM }, ...options });
  }

  const postText = (text: string, type = 'application/json'): Promise<RawAnswer> =>
    send(users, { method: 'POST', headers: { Accept: PROBLEM, 'Content-Type': type } }, text);
});

describe('a hostile Accept', () => {
  it.each([',', ' ', '"', '\\"', '",', ';', `${PROBLEM};q=0,`, `,${PROBLEM} `, `${PROBLEM};q `, ', '])(
    'of many %j takes no time that could be felt',
    async (part) => {
      const hostile = `${PROBLEM};q=0,"${part.repeat(15_000 / part.length)}`;
      await notFound(hostile);

      const startedAt = process.cpuUsage();
      for (let times = 0; times < 20; times += 1) await notFound(hostile);
      const { user, system } = process.cpuUsage(startedAt);

      // Express's own negotiation takes 30 ms for some of them.
      expect((user + system) / 20_000).toBeLessThan(10);
    },
  );
});
