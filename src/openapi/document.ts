import { ERRORS } from '../http/error-catalogue';
import { healthPaths } from './health';
import { headers, responses } from './responses';
import { schemas } from './schemas';
import { userPaths } from './users';

const description = `A registration goes through Kafka into PostgreSQL: **201 means stored, exactly once, first write wins.**

Errors are always \`{"success":false,"error":"…"}\`, except for health. Where \`Accept\` names
\`application/problem+json\` (a wildcard does not), they are problems of RFC 9457 instead, with a \`code\` for programs.
\`HEAD\` is \`GET\` without the body; \`OPTIONS\` is 204 with \`Allow\`.

${errorTable()}

An address has 100 requests in 15 minutes, over all of \`/api\` except health and this documentation; preflights do not
count. Pages of other origins may call it when the service lists their origin; they may send \`Content-Type\`,
\`Authorization\`, \`Idempotency-Key\` and \`X-Request-Id\`, and read every header that is described here.`;

function errorTable(): string {
  const rows = Object.values(ERRORS).map(
    ({ status, code, message, when }) => `| ${status} | \`${code}\` | \`${message}\` | ${when} |`,
  );
  return ['| status | code | error | when |', '|---|---|---|---|', ...rows].join('\n');
}

/** The API's description in OpenAPI 3.1, as GET /api/openapi.json sends it. */
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
    { name: 'Health', description: 'For probes and people; no rate limit, no API key' },
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
          'An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced',
        schema: { type: 'string' },
      },
    },
    securitySchemes: {
      apiKey: {
        type: 'http',
        scheme: 'bearer',
        description:
          'An API key. Reading only needs one when the service has `API_KEYS`; erasing one of `ADMIN_API_KEYS`.',
      },
    },
  },
};
