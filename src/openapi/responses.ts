import { errorBody, PROBLEM_TYPE } from '../http/problem-json';
import { ERRORS, type ErrorName } from '../http/error-catalogue';
import { closedObject, schema } from './schemas';

function header(description: string, pattern: string, example: string, required = true) {
  return { description, required, schema: { type: 'string', pattern }, example };
}

/** The headers that mean something to a client, besides those of HTTP, CORS and Helmet. */
export const headers = {
  'X-Request-Id': header(
    'The X-Request-Id of the request when it was valid, else a new one. The log has it, too.',
    '^[\\w.:-]{1,128}$',
    '6f0a2c9e-6f5b-4b1e-9f0e-0c8f6f1f7a55',
  ),
  RateLimit: header(
    'How many requests the address has, how many are left, and seconds until the window ends.',
    '^limit=\\d+, remaining=\\d+, reset=\\d+$',
    'limit=100, remaining=99, reset=900',
    false,
  ),
  'RateLimit-Policy': header('Requests; w is the window in seconds.', '^\\d+;w=\\d+$', '100;w=900', false),
  'Retry-After': header('Seconds after which to try again.', '^\\d+$', '2'),
  'Retry-After-If-Pending': header(
    'Seconds after which to try again; absent when the email is registered.',
    '^\\d+$',
    '1',
    false,
  ),
  Location: header('The address of the user.', '^/api/users/[^/]+$', '/api/users/john.doe%40example.com'),
  Link: header(
    'The next page, while there is one.',
    '^<[^>]+>; rel="next"$',
    '</api/users?limit=100&cursor=MTc5NTQ2OTAwOTUzMDAwMCw0Mg>; rel="next"',
    false,
  ),
  'X-Total-Count': header(
    'With total=exact: how many users the window holds, on all pages.',
    '^\\d+$',
    '1250',
    false,
  ),
  Allow: header('The methods of the path.', '^[A-Z]+(, [A-Z]+)*$', 'GET, HEAD, POST, OPTIONS'),
  'WWW-Authenticate': header(
    'How to authenticate.',
    '^Bearer realm="users"(, error="invalid_token")?$',
    'Bearer realm="users"',
  ),
  'Kafka-Copies-End': header(
    'The day after which Kafka holds nothing of the user any more, either; absent when its topics keep records for ever.',
    '^\\d{4}-\\d\\d-\\d\\d$',
    '2026-12-31',
    false,
  ),
  'Idempotency-Replayed': header(
    'An earlier request with the same Idempotency-Key was accepted; this one changed nothing.',
    '^true$',
    'true',
    false,
  ),
};

type HeaderName = keyof typeof headers;

const ref = (name: HeaderName) => ({ $ref: `#/components/headers/${name}` });

const withHeaders = (...names: readonly HeaderName[]) =>
  Object.fromEntries(names.map((name) => [name, ref(name)]));

/** The headers of every response. */
export const COMMON_HEADERS = withHeaders('X-Request-Id');

/** These, and those of every response under /api, except health, the documentation, and what is rejected before the limit. */
export function limitedHeaders(...names: readonly HeaderName[]) {
  return withHeaders('X-Request-Id', 'RateLimit', 'RateLimit-Policy', ...names);
}

type Examples = Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>;

/** A response with a JSON body. */
export function json(description: string, responseHeaders: object, schema: object, examples?: Examples) {
  return {
    description,
    headers: responseHeaders,
    content: { 'application/json': { schema, ...(examples !== undefined && { examples }) } },
  };
}

/** A response with one of these errors. */
function failure(responseHeaders: object, ...names: readonly ErrorName[]) {
  const errors = names.map((name) => ERRORS[name]);
  const messages = errors.map(({ message }) => message);
  // The text names the rule and the field.
  const error = names.includes('validationFailed')
    ? { type: 'string', pattern: `^(Validation error: .+|${messages.slice(1).join('|')})$` }
    : { type: 'string', enum: messages };
  const examples = names.map((name) => [
    name,
    { summary: ERRORS[name].when, value: errorBody(ERRORS[name]) },
  ]);
  const description = errors.map(({ when }) => when).join('; or ');
  const body = closedObject({ success: { const: false }, error });
  const base = json(description, responseHeaders, body, Object.fromEntries(examples) as Examples);
  const code = { type: 'string', enum: [...new Set(errors.map((each) => each.code))] };
  const problem = {
    allOf: [schema('Problem'), { type: 'object', required: ['code'], properties: { detail: error, code } }],
  };
  return { ...base, content: { ...base.content, [PROBLEM_TYPE]: { schema: problem } } };
}

const LIMITED = limitedHeaders();
const PENDING = { ...LIMITED, 'Retry-After': ref('Retry-After-If-Pending') };

/** The responses that are errors. */
export const responses = {
  InvalidRegistration: failure(
    LIMITED,
    'validationFailed',
    'malformedBody',
    'unreadableBody',
    'malformedRequest',
  ),
  InvalidPage: failure(LIMITED, 'validationFailed', 'malformedRequest'),
  InvalidEmail: failure(LIMITED, 'validationFailed', 'malformedPath', 'malformedRequest'),
  MalformedRequest: failure(COMMON_HEADERS, 'malformedRequest'),
  Unauthorized: failure(limitedHeaders('WWW-Authenticate'), 'apiKeyRequired'),
  Forbidden: failure(LIMITED, 'forbidden'),
  UserNotFound: failure(LIMITED, 'userNotFound'),
  NotFound: failure(LIMITED, 'notFound'),
  MethodNotAllowed: failure(limitedHeaders('Allow'), 'methodNotAllowed'),
  RequestTimeout: failure(COMMON_HEADERS, 'requestTimeout'),
  Conflict: failure(PENDING, 'alreadyRegistered', 'registrationInProgress', 'requestInProgress'),
  RecentlyRegistered: failure(limitedHeaders('Retry-After'), 'recentlyRegistered'),
  BodyTooLarge: failure(LIMITED, 'bodyTooLarge'),
  UnsupportedMediaType: failure(LIMITED, 'unsupportedMediaType', 'unsupportedEncoding'),
  IdempotencyKeyReused: failure(LIMITED, 'idempotencyKeyReused'),
  TooManyRequests: failure(limitedHeaders('Retry-After'), 'rateLimited'),
  HeadersTooLarge: failure(COMMON_HEADERS, 'headersTooLarge'),
  InternalError: failure(LIMITED, 'internal'),
  Unavailable: failure(limitedHeaders('Retry-After'), 'unavailable'),
};

export type ResponseName = keyof typeof responses;

/** References to error responses, by status. */
export function errorResponses(byStatus: Readonly<Record<number, ResponseName>>) {
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, name]) => [status, { $ref: `#/components/responses/${name}` }]),
  );
}

/** The errors of any request. */
export const ANY_RESPONSES = errorResponses({
  408: 'RequestTimeout',
  431: 'HeadersTooLarge',
  500: 'InternalError',
});

/** The errors of any request that the rate limit counts. */
export const RATE_LIMITED_RESPONSES = {
  ...errorResponses({ 429: 'TooManyRequests', 503: 'Unavailable' }),
  ...ANY_RESPONSES,
};
