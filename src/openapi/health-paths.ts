import { ALWAYS } from './headers';
import { ANY_REQUEST, answers, json } from './responses';
import { schema } from './schemas';

interface Probe {
  readonly operationId: string;
  readonly summary: string;
  readonly yes: string;
  readonly no: string;
}

const general = { ...answers({ 400: 'BrokenRequest' }), ...ANY_REQUEST };

function probe({ operationId, summary, yes, no }: Probe) {
  const answer = (status: string) =>
    json(status, ALWAYS, {
      type: 'object',
      required: ['status'],
      properties: { status: { const: status } },
      additionalProperties: false,
      examples: [{ status }],
    });
  return {
    get: {
      tags: ['Health'],
      operationId,
      summary,
      responses: { 200: answer(yes), 503: answer(no), ...general },
    },
  };
}

function report(message: string, redis: string) {
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
      summary: 'How the service and its dependencies are',
      description: 'From a check in the background, once a second.',
      responses: {
        200: json('All are healthy', ALWAYS, schema('Health'), report('OK', 'healthy')),
        503: json('Some are not', ALWAYS, schema('Health'), report('Degraded', 'unhealthy')),
        ...general,
      },
    },
  },
  '/api/health/live': probe({
    operationId: 'isAlive',
    summary: 'Whether the process ticks; 503: restart it',
    yes: 'alive',
    no: 'not alive',
  }),
  '/api/health/ready': probe({
    operationId: 'isReady',
    summary: 'Whether the process takes requests; 503: send them elsewhere',
    yes: 'ready',
    no: 'not ready',
  }),
};
