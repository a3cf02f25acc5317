import express, { type Router } from 'express';
import supertest from 'supertest';
import * as domainErrors from '../../../src/domain/errors';
import { parseRegistration } from '../../../src/domain/registration';
import { createHealthRouter } from '../../../src/routes/health';
import { createErrorHandler } from '../../../src/http/middleware/error-handler';
import { ERRORS, httpError, type ErrorName } from '../../../src/http/error-catalogue';
import { openapiDocument } from '../../../src/openapi/document';
import { headers, responses } from '../../../src/openapi/responses';
import { schemas } from '../../../src/openapi/schemas';
import { createUsersRouter } from '../../../src/routes/users';
import { schemaAt, undescribed } from '../../support/api-document';
import { RecordingLogger } from '../../support/recording-logger';

interface Content {
  readonly content?: {
    readonly 'application/json': { readonly examples?: Record<string, { value: unknown }> };
  };
}

const JSON_CONTENT = ['content', 'application/json'];
const errorClasses: Readonly<Record<string, new (detail: string) => Error>> = domainErrors;

/** Where answers stand in the document, and what they say. */
const written: (readonly [string, readonly string[], Content])[] = [
  ...Object.entries(responses).map(
    ([name, response]) => [name, ['components', 'responses', name], response] as const,
  ),
  ...Object.entries(openapiDocument.paths).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { responses?: Record<string, Content> }>).flatMap(
      ([method, operation]) =>
        Object.entries(operation.responses ?? {}).map(
          ([status, response]) =>
            [`${method} ${path} ${status}`, ['paths', path, method, 'responses', status], response] as const,
        ),
    ),
  ),
];

/** All texts of errors with this status in the document. */
function responsesOf(status: number): string[] {
  const names = new Set(
    Object.values(openapiDocument.paths).flatMap((methods) =>
      Object.values(methods as Record<string, { responses?: Record<string, { $ref?: string }> }>).map(
        ({ responses: byStatus = {} }) => byStatus[status]?.$ref?.split('/').at(-1),
      ),
    ),
  );
  return [...names, 'NotFound', 'MethodNotAllowed'].flatMap((name) => {
    const response = responses[name as keyof typeof responses] as Content | undefined;
    return Object.values(response?.content?.['application/json'].examples ?? {}).map(
      ({ value }) => (value as { error: string }).error,
    );
  });
}

describe('the OpenAPI document', () => {
  it('describes the routes: all of them and no others', () => {
    const nothing = {} as never;
    const pathsOf = (router: Router): string[] =>
      router.stack.map(({ route }) => route?.path.replace(':email', '{email}') ?? 'no route');

    const paths = [
      ...pathsOf(
        createUsersRouter({
          apiKeys: [],
          adminApiKeys: [],
          erasures: nothing,
          kafkaCopiesEnd: nothing,
          registrations: nothing,
          idempotentRegistrations: nothing,
          registrationStatus: nothing,
          userQueries: nothing,
        }),
      ),
      ...pathsOf(createHealthRouter(nothing)),
    ];

    expect(Object.keys(openapiDocument.paths).sort()).toEqual(paths.sort());
  });

  it.each([
    ...Object.entries(errorClasses)
      // Its text is each time another.
      .filter(([name]) => name !== 'ValidationError')
      .map(([name, ErrorClass]) => [name, new ErrorClass('detail')] as const),
    ...(Object.keys(ERRORS) as ErrorName[]).map((name) => [name, httpError(name)] as const),
  ])('names what %s is answered with', async (_name, error) => {
    const app = express();
    app.use((_req, _res, next) => next(error));
    app.use(createErrorHandler(new RecordingLogger()));

    const { status, body, headers: sent } = await supertest(app).get('/');

    const entry = Object.values(ERRORS).find(({ message }) => message === (body as { error: string }).error);
    expect(status).toBe(entry?.status);
    const retryAfter = entry && 'retryAfterSeconds' in entry ? String(entry.retryAfterSeconds) : undefined;
    expect(sent['retry-after']).toBe(retryAfter);
    expect(responsesOf(status)).toContain((body as { error: string }).error);
  });

  it.each(written.filter(([, , { content }]) => content?.['application/json'].examples))(
    'has examples of %s that fit its schema',
    (_what, place, { content }) => {
      const fits = schemaAt(...place, ...JSON_CONTENT, 'schema');

      for (const { value } of Object.values(content?.['application/json'].examples ?? {})) {
        expect({ value, fits: fits(value) }).toEqual({ value, fits: true });
      }
    },
  );

  it.each(Object.entries(headers))('has an example of %s that fits its schema', (name, { example }) => {
    expect(schemaAt('components', 'headers', name, 'schema')(example)).toBe(true);
  });

  it('has an example of a registration that the service accepts', () => {
    const [example] = schemas.Registration.examples;

    expect(schemaAt('components', 'schemas', 'Registration')(example)).toBe(true);
    expect(parseRegistration(example)).toEqual(example);
  });
});

describe('an answer that is not in the document', () => {
  const described = {
    method: 'POST',
    path: '/api/users?x=1',
    status: 409,
    headers: { 'content-type': 'application/json; charset=utf-8', 'x-request-id': '1' },
    body: '{"success":false,"error":"User already registered"}',
  };

  it('is not one that is', () => {
    expect(undescribed(described)).toEqual([]);
    expect(undescribed({ ...described, path: '/API/Users/' })).toEqual([]);
    expect(undescribed({ ...described, method: 'HEAD', status: 200, body: '' })).toEqual([]);
  });

  it.each([
    ['another status', { status: 418 }],
    ['another text', { body: '{"success":false,"error":"Taken"}' }],
    ['another field', { body: '{"success":false,"error":"User already registered","code":1}' }],
    ['another type', { headers: { ...described.headers, 'content-type': 'text/html' } }],
    ['a header that nothing is said of', { headers: { ...described.headers, 'set-cookie': 'a=b' } }],
    ['a header that is not as described', { headers: { ...described.headers, 'retry-after': 'soon' } }],
    ['a missing header', { headers: { 'content-type': 'application/json; charset=utf-8' } }],
    ['a method that the path does not have', { method: 'PUT' }],
    ['a path that is not there', { path: '/api/user' }],
  ])('is found: %s', (_what, difference) => {
    expect(undescribed({ ...described, ...difference })).toHaveLength(1);
  });
});
