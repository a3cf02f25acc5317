import type { RegistrationStatus } from '../services/registration-status-service';
import { PAGE_LIMIT, PAGE_OFFSET, TIME_FORMAT } from '../domain/pagination';
import { errorResponses, json, limitedHeaders, RATE_LIMITED_RESPONSES } from './responses';
import { EXAMPLES, schema } from './schemas';

const tags = ['Users'];
/** Only needed when the service has API keys. */
const security = [{ apiKey: [] }, {}];
const emailInPath = {
  name: 'email',
  in: 'path',
  required: true,
  description: 'An email in any spelling that POST accepts, percent-encoded',
  schema: { type: 'string' },
  example: EXAMPLES.registration.email,
};

const integer = ({ min, max, default: value }: typeof PAGE_LIMIT) => ({
  type: 'integer',
  minimum: min,
  maximum: max,
  default: value,
});

const time = { type: 'string', pattern: TIME_FORMAT.source, examples: ['2026-11-01T00:00:00Z'] };

const inQuery = (name: string, description: string, type: object) => ({
  name,
  in: 'query',
  description,
  schema: type,
});

const submit = {
  tags,
  operationId: 'registerUser',
  summary: 'Submit a new user registration',
  description:
    '201 means: stored, exactly once, first write wins; the row may come a moment later. Sending the same again while ' +
    'it is pending is safe: 201.',
  parameters: [
    {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        '1-255 visible ASCII characters, new for each registration. A 201 is kept for 24 h and replayed to the same ' +
        'key and registration with `Idempotency-Replayed: true`; anything else is decided again each time. The same ' +
        'key with another registration is 422. A request that breaks a rule leaves the key free.',
      schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
    },
  ],
  requestBody: {
    required: true,
    description: 'At most 16 kB',
    content: { 'application/json': { schema: schema('Registration'), example: EXAMPLES.registration } },
  },
  responses: {
    201: json(
      'The registration is accepted',
      limitedHeaders('Location', 'Idempotency-Replayed'),
      schema('Accepted'),
      { accepted: { value: EXAMPLES.accepted } },
    ),
    ...errorResponses({
      400: 'InvalidRegistration',
      409: 'Conflict',
      413: 'BodyTooLarge',
      415: 'UnsupportedMediaType',
      422: 'IdempotencyKeyReused',
    }),
    ...RATE_LIMITED_RESPONSES,
  },
};

const list = {
  tags,
  operationId: 'listUsers',
  summary: 'All users, newest first',
  security,
  parameters: [
    inQuery('limit', 'Users in one response at most', integer(PAGE_LIMIT)),
    inQuery(
      'offset',
      'Users to skip, from the newest or from the cursor. Inserts in the meantime shift such pages.',
      integer(PAGE_OFFSET),
    ),
    inQuery(
      'cursor',
      'Where the page begins, from the `Link` header of the previous page; opaque: do not parse or construct it. ' +
        'Going from `Link` to `Link` neither skips nor repeats a user, whatever is inserted in the meantime.',
      { type: 'string' },
    ),
    inQuery(
      'created_from',
      'Only users created at this time or later: ISO 8601 with a zone, to the microsecond, years 1 to 9999. `Link` carries ' +
        'it on.',
      time,
    ),
    inQuery('created_before', 'Only users created before this time, written alike', time),
    inQuery(
      'total',
      'Adds `X-Total-Count`. `Link` does not carry it on. A count that takes longer than 3 s is 503.',
      { type: 'string', enum: ['exact'] },
    ),
  ],
  responses: {
    200: json('The users', limitedHeaders('Link', 'X-Total-Count'), schema('UsersAnswer'), {
      one: { value: { success: true, count: 1, data: [EXAMPLES.user] } },
      none: { value: { success: true, count: 0, data: [] } },
    }),
    ...errorResponses({ 400: 'InvalidPage', 401: 'Unauthorized' }),
    ...RATE_LIMITED_RESPONSES,
  },
};

const find = {
  tags,
  operationId: 'getUser',
  summary: 'One user',
  security,
  responses: {
    200: json('The user', limitedHeaders(), schema('UserAnswer'), {
      john: { value: { success: true, data: EXAMPLES.user } },
    }),
    ...errorResponses({ 400: 'InvalidEmail', 401: 'Unauthorized', 404: 'UserNotFound' }),
    ...RATE_LIMITED_RESPONSES,
  },
};

const erase = {
  tags,
  operationId: 'eraseUser',
  summary: 'Erase a user, for good',
  description:
    'Removes the row and whatever else is held, so that nothing that is read again brings the user back; the email may be ' +
    'registered anew at once. Also for an email that is not registered, of which something may be on its way. Safe to ' +
    'repeat. Only when the service has `ADMIN_API_KEYS`, and with one of these keys.',
  security: [{ apiKey: [] }],
  responses: {
    200: json('The user is erased', limitedHeaders('Kafka-Copies-End'), schema('ErasedAnswer'), {
      erased: {
        value: {
          success: true,
          message: 'User erased',
          data: {
            email: EXAMPLES.registration.email,
            erasedAt: EXAMPLES.user.created_at,
            row: true,
            finished: true,
          },
        },
      },
    }),
    ...errorResponses({
      400: 'InvalidEmail',
      401: 'Unauthorized',
      403: 'Forbidden',
      405: 'MethodNotAllowed',
      409: 'RecentlyRegistered',
    }),
    ...RATE_LIMITED_RESPONSES,
  },
};

const statusExample = (data: RegistrationStatus) => ({
  value: { success: true, data: { email: EXAMPLES.registration.email, ...data } },
});

const status = {
  tags,
  operationId: 'getRegistrationStatus',
  summary: 'How far the registration of an email is',
  description: 'About the email, not about one submission. Open to everyone: a sign-up form polls it.',
  responses: {
    200: json(
      'pending: not stored yet; completed: stored; failed: it could not be stored',
      limitedHeaders(),
      schema('StatusAnswer'),
      {
        pending: statusExample({ status: 'pending' }),
        completed: statusExample({ status: 'completed' }),
        failed: statusExample({ status: 'failed', reason: 'unstorable' }),
      },
    ),
    ...errorResponses({ 400: 'InvalidEmail', 404: 'UserNotFound' }),
    ...RATE_LIMITED_RESPONSES,
  },
};

const requestId = { $ref: '#/components/parameters/RequestId' };

/** /api/users */
export const userPaths = {
  '/api/users': { parameters: [requestId], post: submit, get: list },
  '/api/users/{email}': { parameters: [emailInPath, requestId], get: find, delete: erase },
  '/api/users/{email}/status': { parameters: [emailInPath, requestId], get: status },
};
