import { parseRegistration } from '../../../src/domain/registration';
import { openapiDocument } from '../../../src/openapi/document';
import { schemaAt } from '../../support/api-document';
import { readHttpFile } from '../../support/http-file';

const requests = readHttpFile('docs/requests.http', { api: '/api' });
const bodies = requests.flatMap(({ title, body }) => (body === undefined ? [] : [[title, body] as const]));

/** Such as `get /api/users/{email}`. */
const routeOf = ({ method, url }: (typeof requests)[number]): string =>
  `${method.toLowerCase()} ${url.replace(/\?.*$/, '').replace(/[^/]+@[^/]+/, '{email}')}`;

describe('docs/requests.http', () => {
  it('has every call that the OpenAPI document describes, and no others under /api but the documentation', () => {
    const described = Object.entries(openapiDocument.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((method) => method !== 'parameters')
        .map((method) => `${method} ${path}`),
    );
    const called = new Set(requests.map(routeOf).filter((route) => route.includes(' /api/')));

    expect(described.length).toBeGreaterThan(6);
    expect([...called].sort()).toEqual([...described, 'get /api/docs', 'get /api/openapi.json'].sort());
  });

  it.each(bodies)('has a body that the service and its description accept: %s', (_title, text) => {
    const body: unknown = JSON.parse(text);

    expect(parseRegistration(body)).toEqual(body);
    expect(schemaAt('components', 'schemas', 'Registration')(body)).toBe(true);
  });

  it('has bodies exactly where there is one to send, as JSON', () => {
    expect(bodies.length).toBeGreaterThan(1);
    for (const { method, headers, body } of requests) {
      expect(body !== undefined).toBe(method === 'POST');
      expect(headers['Content-Type']).toBe(method === 'POST' ? 'application/json' : undefined);
    }
  });
});
