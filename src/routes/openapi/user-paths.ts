import type { RegistrationStatus } from '../../services/registration-status-service';
import { COUNTED, LINK, LOCATION, REPLAYED } from './headers';
import { ANY_COUNTED_REQUEST, answers, json } from './responses';
import { EXAMPLES, schema } from './schemas';

const tags = ['Users'];
/** Only needed when the service is set up with API keys. */
const security = [{ apiKey: [] }, {}];
const emailInPath = {
  name: 'email',
  in: 'path',
  required: true,
  description: 'An e-mail in any spelling that POST accepts, percent-encoded',
  schema: { type: 'string' },
  example: EXAMPLES.registration.email,
};

const submit = {
  tags,
  operationId: 'registerUser',
  summary: 'Submit a new user registration',
  description:
    '201 means: stored, exactly once, first write wins; the row may come a moment later. Sending the same again while ' +
    'it is pending is safe and answers 201.',
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
    content: {
      'application/json': { schema: schema('Registration'), example: EXAMPLES.registration },
    },
  },
  responses: {
    201: json('The registration is accepted', { ...COUNTED, ...LOCATION, ...REPLAYED }, schema('Accepted'), {
      accepted: { value: EXAMPLES.accepted },
    }),
    ...answers({
      400: 'InvalidRegistration',
      409: 'Conflict',
      413: 'TooLarge',
      415: 'UnsupportedMediaType',
      422: 'IdempotencyKeyReused',
    }),
    ...ANY_COUNTED_REQUEST,
  },
};

const list = {
  tags,
  operationId: 'listUsers',
  summary: 'All users, newest first',
  security,
  parameters: [
    {
      name: 'limit',
      in: 'query',
      description: 'Users in one answer at most',
      schema: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
    },
    {
      name: 'offset',
      in: 'query',
      description:
        'Users to skip, from the newest or from the cursor. What is inserted meanwhile shifts such pages.',
      schema: { type: 'integer', minimum: 0, maximum: 2_147_483_647, default: 0 },
    },
    {
      name: 'cursor',
      in: 'query',
      description:
        'Where the page begins, from the `Link` header of the page before; take it as it is. Going from `Link` to `Link` ' +
        'neither skips nor repeats a user, whoever is inserted meanwhile.',
      schema: { type: 'string' },
    },
  ],
  responses: {
    200: json('The users', { ...COUNTED, ...LINK }, schema('UsersAnswer'), {
      one: { value: { success: true, count: 1, data: [EXAMPLES.user] } },
      none: { value: { success: true, count: 0, data: [] } },
    }),
    ...answers({ 400: 'InvalidPage', 401: 'Unauthorized' }),
    ...ANY_COUNTED_REQUEST,
  },
};

const find = {
  tags,
  operationId: 'getUser',
  summary: 'One user',
  security,
  responses: {
    200: json('The user', COUNTED, schema('UserAnswer'), {
      john: { value: { success: true, data: EXAMPLES.user } },
    }),
    ...answers({ 400: 'InvalidEmail', 401: 'Unauthorized', 404: 'UserNotFound' }),
    ...ANY_COUNTED_REQUEST,
  },
};

const statusExample = (data: RegistrationStatus) => ({
  value: { success: true, data: { email: EXAMPLES.registration.email, ...data } },
});

const status = {
  tags,
  operationId: 'getRegistrationStatus',
  summary: 'What became of the registration of an e-mail',
  description:
    'It speaks of the e-mail, not of one submission. Open to everyone: whoever has registered waits for it.',
  responses: {
    200: json(
      'pending: on its way; completed: there is a row; failed: it could not be stored',
      COUNTED,
      schema('StatusAnswer'),
      {
        pending: statusExample({ status: 'pending' }),
        completed: statusExample({ status: 'completed' }),
        failed: statusExample({ status: 'failed', reason: 'unstorable' }),
      },
    ),
    ...answers({ 400: 'InvalidEmail', 404: 'UserNotFound' }),
    ...ANY_COUNTED_REQUEST,
  },
};

const requestId = { $ref: '#/components/parameters/RequestId' };

/** /api/users */
export const userPaths = {
  '/api/users': { parameters: [requestId], post: submit, get: list },
  '/api/users/{email}': { parameters: [emailInPath, requestId], get: find },
  '/api/users/{email}/status': { parameters: [emailInPath, requestId], get: status },
};
