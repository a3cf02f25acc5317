import { buildRegistration } from '../support/builders';
import { InMemoryUsers } from '../support/fakes/postgres';
import { RecordingQueue } from '../support/fakes/kafka';
import { startService, type TestService } from '../support/harness';
import { send } from '../support/raw-http';

const LIMIT = 16 * 1024;
// The first two are read directly, the others by Express.
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json;charset=UTF-8',
  'Application/JSON',
  'application/json; charset=utf8',
  'application/json;charset="UTF8"; profile=x',
];

let service: TestService;

beforeAll(async () => {
  service = await startService(
    { CONSUMER_ENABLED: 'false' },
    { users: new InMemoryUsers(), queue: new RecordingQueue() },
  );
});

const registrationOf = (name: string): string => JSON.stringify(buildRegistration({ firstName: name }));
const padded = (bytes: number): string => {
  const body = registrationOf('John');
  return `${body.slice(0, -1)}${' '.repeat(bytes - body.length)}}`;
};
const cases: readonly [what: string, makeBody: () => string | Buffer, status: number][] = [
  ['a registration', () => registrationOf('John'), 201],
  ['text of several bytes a character', () => registrationOf('Zoë 漢字 😀'), 201],
  ['a byte order mark', () => `\ufeff${registrationOf('John')}`, 201],
  ['a body of just 16 kB', () => padded(LIMIT), 201],
  ['a body of one byte more', () => padded(LIMIT + 1), 413],
  ['half a body', () => registrationOf('John').slice(0, 40), 400],
  ['bytes that are no UTF-8', () => Buffer.from(registrationOf('Zoë'), 'latin1'), 400],
  ['a text', () => '"John"', 400],
  ['nothing', () => '', 400],
];

describe.each(TYPES)('a body of the type %s', (type) => {
  it.each(cases)('is read like any other: %s', async (_what, makeBody, status) => {
    const body = Buffer.from(makeBody());
    const headers = { 'Content-Type': type, 'Content-Length': body.length };

    const answer = await send(`${service.url}/api/users`, { method: 'POST', headers }, body);

    expect(answer.status).toBe(status);
  });

  it.each([
    ['{"firstName":', 'Request body is not valid JSON'],
    ['"John"', 'Validation error: body must be of type object'],
    ['', 'Validation error: firstName is required'],
  ])('is rejected in the same words as any other: %j', async (text, error) => {
    const headers = { 'Content-Type': type, 'Content-Length': text.length };

    const { body } = await send(`${service.url}/api/users`, { method: 'POST', headers }, text);

    expect(JSON.parse(body)).toEqual({ success: false, error });
  });
});
