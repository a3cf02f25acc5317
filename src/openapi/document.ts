import { errorTable } from './errors';
import { headers } from './headers';
import { healthPaths } from './health-paths';
import { responses } from './responses';
import { schemas } from './schemas';
import { userPaths } from './user-paths';

const description = `A registration goes through Kafka into PostgreSQL: **201 means stored, exactly once, first write wins.**

Errors are always \`{"success":false,"error":"…"}\`; only health answers otherwise. \`HEAD\` answers as \`GET\` does,
without a body; \`OPTIONS\` answers 204 with \`Allow\`.

${errorTable()}

100 requests in 15 minutes are let in from one address, over all of \`/api\` but health and this documentation; preflights
do not count. Pages of other origins may call it when the service lists their origin; they may send \`Content-Type\`,
\`Authorization\`, \`Idempotency-Key\` and \`X-Request-Id\`, and read every header that is described here.`;

/** The API's description in OpenAPI 3.1, as GET /api/openapi.json answers it. */
export const openapiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'User Registration API',
    version: '1.0.0',
    description,
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'Where this document came from' }],
  tags: [
    { name: 'Users', description: 'Register, list and find users' },
    { name: 'Health', description: 'For probes and people; neither limited nor in need of a key' },
  ],
  security: [],
  paths: { ...userPaths, ...healthPaths },
  components: {
    schemas,
    headers,
    responses,
    parameters: {
      RequestId: {
        name: 'X-Request-Id',
        in: 'header',
        description:
          'A name for the request in the log: 1-128 letters, digits or `_ . : -`; another one is replaced',
        schema: { type: 'string' },
      },
    },
    securitySchemes: {
      apiKey: {
        type: 'http',
        scheme: 'bearer',
        description: 'An API key. Only needed when the service is set up with `API_KEYS`.',
      },
    },
  },
};
