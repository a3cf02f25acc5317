import { ANY_RESPONSES, COMMON_HEADERS, errorResponses, json } from './responses';
import { closedObject, schema } from './schemas';

const common = { ...errorResponses({ 400: 'MalformedRequest' }), ...ANY_RESPONSES };

function probe(operationId: string, summary: string, yes: string, no: string) {
  const response = (status: string) =>
    json(status, COMMON_HEADERS, {
      ...closedObject({ status: { const: status } }),
      examples: [{ status }],
    });
  return {
    get: {
      tags: ['Health'],
      operationId,
      summary,
      responses: { 200: response(yes), 503: response(no), ...common },
    },
  };
}

function example(message: string, redis: string) {
  const services = { redis, postgres: 'healthy', kafka: 'healthy' };
  const value = { uptime: 82.828647325, message, timestamp: 1_795_469_009_530, services };
  return { [message]: { value } };
}

/** /api/health */
export const healthPaths = {
  '/api/health': {
    get: {
      tags: ['Health'],
      operationId: 'getHealth',
      summary: 'Service and dependency health',
      description: 'From a background check, once a second.',
      responses: {
        200: json('All are healthy', COMMON_HEADERS, schema('Health'), example('OK', 'healthy')),
        503: json('Some are not', COMMON_HEADERS, schema('Health'), example('Degraded', 'unhealthy')),
        ...common,
      },
    },
  },
  '/api/health/live': probe('isAlive', 'Liveness probe', 'alive', 'not alive'),
  '/api/health/ready': probe('isReady', 'Readiness probe', 'ready', 'not ready'),
};
