import { buildRegistration } from '../support/builders';
import { InMemoryUsers } from '../support/fakes/postgres';
import { RecordingQueue } from '../support/fakes/kafka';
import { startService, type TestService } from '../support/harness';
import { send, type RawAnswer } from '../support/raw-http';

const LIMIT = 16 * 1024;

let service: TestService;
const queue = new RecordingQueue();

beforeAll(async () => {
  service = await startService({ CONSUMER_ENABLED: 'false' }, { users: new InMemoryUsers(), queue });
});

const post = (body: string): Promise<RawAnswer> =>
  send(`${service.url}/api/users`, { method: 'POST', headers: { 'Content-Type': 'application/json' } }, body);

/** `levels` times `open`, closed again. */
const nested = (open: string, close: string, levels: number): string =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

const withField = (name: string, json: string): string =>
  JSON.stringify(buildRegistration()).replace('{', `{${JSON.stringify(name)}:${json},`);

describe('deep nesting', () => {
  it.each([
    ['arrays in a field', withField('firstName', nested('[', ']', 8000)), 201],
    ['arrays in an unknown field', withField('x', nested('[', ']', 8000)), 201],
    [
      'arrays in a field that is not written again',
      JSON.stringify({ ...buildRegistration(), firstName: 0 }).replace(':0', `:${nested('[', ']', 8000)}`),
      400,
    ],
    ['objects in an unknown field', withField('x', nested('{"a":', '}', 2600)), 201],
    ['nothing but objects', nested('{"firstName":', '}', 1000), 400],
    ['arrays that never end', '['.repeat(LIMIT), 400],
    ['objects that never end', '{"a":'.repeat(3000), 400],
    ['thousands of keys', `{${Array.from({ length: 1500 }, (_, index) => `"${index}":1`).join(',')}}`, 400],
    ['the same key thousands of times', `{${Array<string>(2500).fill('"a":1').join(',')}}`, 400],
  ])('is answered like anything else: %s', async (_what, body, status) => {
    expect(body.length).toBeLessThanOrEqual(LIMIT);

    expect((await post(body)).status).toBe(status);
  });
});

describe('prototype pollution', () => {
  const payload = '{"polluted":"yes","status":500,"email":"x","admin":true}';

  it.each([
    ['__proto__', withField('__proto__', payload)],
    ['constructor.prototype', withField('constructor', `{"prototype":${payload}}`)],
    ['a flat constructor.prototype', withField('constructor.prototype.polluted', '"yes"')],
    ['__proto__ in __proto__', withField('__proto__', `{"__proto__":${payload}}`)],
    ['an escaped __proto__', withField('__proto__', payload).replace('__proto__', '\\u005f_proto__')],
    ['columns of the row', withField('id', '99').replace('{', '{"created_at":"1999-01-01",')],
    ['toString and valueOf', withField('toString', '1').replace('{', '{"valueOf":1,"hasOwnProperty":1,')],
  ])('does not happen, and the field is dropped: %s', async (_what, body) => {
    const before = queue.published.length;

    const answer = await post(body);

    expect(answer.status).toBe(201);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    const [sent] = queue.published.slice(before);
    expect(Object.keys(sent?.event.registration ?? {}).sort()).toEqual(
      Object.keys(buildRegistration()).sort(),
    );
  });

  it('does not stand in for a required field', async () => {
    const answer = await post(`{"__proto__":${JSON.stringify(buildRegistration())}}`);

    expect(JSON.parse(answer.body)).toEqual({
      success: false,
      error: 'Validation error: firstName is required',
    });
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'does not happen by a path or a query: %s',
    async (name) => {
      const { status } = await send(
        `${service.url}/api/users/${name}?${name}[polluted]=1&${name}.polluted=1`,
      );
      await send(`${service.url}/api/users?${name}[polluted]=1&${name}=1`);

      expect(status).toBe(400);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );
});
