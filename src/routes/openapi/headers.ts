const REQUEST_ID = { type: 'string', pattern: '^[\\w.:-]{1,128}$' };

/** The headers of answers that mean something to a caller, beside those of HTTP, CORS and Helmet. */
export const headers = {
  RequestId: {
    description: 'The X-Request-Id of the request when it was sane, else a new one. It stands in the log.',
    required: true,
    schema: REQUEST_ID,
    example: '6f0a2c9e-6f5b-4b1e-9f0e-0c8f6f1f7a55',
  },
  RateLimit: {
    description:
      'How many requests the address has in all, how many are left, and seconds until all are back.',
    schema: { type: 'string', pattern: '^limit=\\d+, remaining=\\d+, reset=\\d+$' },
    example: 'limit=100, remaining=99, reset=900',
  },
  RateLimitPolicy: {
    description: 'Requests; w is the window in seconds.',
    schema: { type: 'string', pattern: '^\\d+;w=\\d+$' },
    example: '100;w=900',
  },
  RetryAfter: {
    description: 'Seconds after which it makes sense to ask again.',
    required: true,
    schema: { type: 'string', pattern: '^\\d+$' },
    example: '2',
  },
  RetryAfterIfPending: {
    description: 'Seconds after which it makes sense to ask again; not there when the e-mail is registered.',
    schema: { type: 'string', pattern: '^\\d+$' },
    example: '1',
  },
  Location: {
    description: 'The address of the user.',
    required: true,
    schema: { type: 'string', pattern: '^/api/users/[^/]+$' },
    example: '/api/users/john.doe%40example.com',
  },
  Link: {
    description: 'The next page, while there is one.',
    schema: { type: 'string', pattern: '^<[^>]+>; rel="next"$' },
    example: '</api/users?limit=100&cursor=MTc5NTQ2OTAwOTUzMDAwMCw0Mg>; rel="next"',
  },
  Allow: {
    description: 'The methods that the path has.',
    required: true,
    schema: { type: 'string', pattern: '^[A-Z]+(, [A-Z]+)*$' },
    example: 'GET, HEAD, POST, OPTIONS',
  },
  WwwAuthenticate: {
    description: 'How to authenticate.',
    required: true,
    schema: { type: 'string', pattern: '^Bearer realm="users"(, error="invalid_token")?$' },
    example: 'Bearer realm="users"',
  },
  IdempotencyReplayed: {
    description: 'An earlier request with the same Idempotency-Key was accepted; this one changed nothing.',
    schema: { type: 'string', const: 'true' },
    example: 'true',
  },
} as const;

const ref = (name: keyof typeof headers) => ({ $ref: `#/components/headers/${name}` });

/** What every answer carries. */
export const ALWAYS = { 'X-Request-Id': ref('RequestId') };

/** What every answer under /api carries, but for health, the documentation, and what is refused unread. */
export const COUNTED = {
  ...ALWAYS,
  RateLimit: ref('RateLimit'),
  'RateLimit-Policy': ref('RateLimitPolicy'),
};

export const RETRY_AFTER = { 'Retry-After': ref('RetryAfter') };
export const RETRY_AFTER_IF_PENDING = { 'Retry-After': ref('RetryAfterIfPending') };
export const LOCATION = { Location: ref('Location') };
export const LINK = { Link: ref('Link') };
export const ALLOW = { Allow: ref('Allow') };
export const WWW_AUTHENTICATE = { 'WWW-Authenticate': ref('WwwAuthenticate') };
export const REPLAYED = { 'Idempotency-Replayed': ref('IdempotencyReplayed') };
