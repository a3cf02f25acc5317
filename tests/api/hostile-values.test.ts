import { Agent } from 'node:http';
import { parseEmail } from '../../src/domain/email';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { HOSTILE_CLASSES } from '../support/hostile-corpus';
import { send, type RawAnswer } from '../support/raw-http';
import { sql } from '../support/test-servers';

const TEXT_FIELDS = ['firstName', 'lastName', 'occupation'] as const;
const BAD_VALUE = /^Validation error: (firstName|lastName|email|occupation|limit|offset|cursor) [\w @,.-]+$/;

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
let service: TestService;
let made = 0;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => agent.destroy());

/** A local part that no other request has. */
const unique = (): string => `u${(made += 1)}`;

const post = (body: string): Promise<RawAnswer> =>
  send(
    `${service.url}/api/users`,
    { method: 'POST', agent, headers: { 'Content-Type': 'application/json' } },
    body,
  );

const get = (path: string): Promise<RawAnswer> => send(`${service.url}${path}`, { agent });

// A lone surrogate has no percent-encoding; broken clients send its three bytes.
const encoded = (text: string): string =>
  text
    .replace(/\p{Cs}/gu, '\ufffd')
    .split('\ufffd')
    .map(encodeURIComponent)
    .join('%ED%A0%80');

function expectRejected({ status, body }: RawAnswer, submitted: string): void {
  const { success, error } = JSON.parse(body) as { success: boolean; error: string };
  expect([status, success]).toEqual([400, false]);
  expect(error).toMatch(BAD_VALUE);
  expect(error).not.toContain(submitted);
}

/** Waits until these emails have rows; returns the columns that were submitted. */
async function rowsOf(emails: readonly string[]): Promise<Map<unknown, Record<string, unknown>>> {
  return eventually(async () => {
    const rows = await sql(
      service.env,
      'SELECT email, first_name, last_name, occupation FROM users WHERE email = ANY($1)',
      [emails],
    );
    expect(rows).toHaveLength(emails.length);
    return new Map(rows.map((row) => [row['email'], row]));
  });
}

describe.each(HOSTILE_CLASSES)('$name', ({ text, strings }) => {
  it(`in a name or an occupation: ${text === 'stored' ? 'stored and returned exactly, but trimmed and in NFC' : '400'}`, async () => {
    const registrations = strings.flatMap((value) =>
      TEXT_FIELDS.map((field) =>
        buildRegistration({
          lastName: 'Doe',
          email: `${unique()}@example.com`,
          occupation: 'Tester',
          [field]: value,
        }),
      ),
    );

    const answers = await Promise.all(registrations.map((each) => post(JSON.stringify(each))));

    if (text === 'rejected') {
      answers.forEach((answer, index) => expectRejected(answer, strings[Math.floor(index / 3)] ?? ''));
      return;
    }
    expect(answers.map(({ status }) => status).filter((status) => status !== 201)).toEqual([]);
    const rows = await rowsOf(registrations.map(({ email }) => email));
    const reads = await Promise.all(registrations.map(({ email }) => get(`/api/users/${email}`)));
    for (const [index, { email, firstName, lastName, occupation }] of registrations.entries()) {
      const fields = {
        first_name: firstName.trim().normalize('NFC'),
        last_name: lastName.trim().normalize('NFC'),
        occupation: occupation.trim().normalize('NFC'),
      };
      expect(rows.get(email)).toEqual({ email, ...fields });
      const body = JSON.parse(reads[index]?.body ?? '') as unknown;
      expect(body).toMatchObject({ success: true, data: { email, ...fields } });
    }
  });

  it('in an email: 400, or stored and found in its canonical form', async () => {
    const emails = strings.flatMap((value) => [
      `${value}${unique()}@example.com`,
      `${unique()}@${value}.example`,
    ]);

    const answers = await Promise.all(
      emails.map((email) => post(JSON.stringify(buildRegistration({ email })))),
    );

    const accepted: string[] = [];
    for (const [index, answer] of answers.entries()) {
      const email = emails[index] ?? '';
      if (answer.status !== 201) {
        expectRejected(answer, strings[Math.floor(index / 2)] ?? '');
        continue;
      }
      const canonical = parseEmail(email);
      expect(JSON.parse(answer.body)).toMatchObject({ data: { email: canonical } });
      accepted.push(canonical);
    }
    await rowsOf(accepted);
    const reads = await Promise.all(accepted.map((email) => get(`/api/users/${encodeURIComponent(email)}`)));
    expect(reads.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('in a path or a query: 400 or 404', async () => {
    const values = strings.map(encoded);
    const ask = (prefix: string) => Promise.all(values.map((value) => get(`${prefix}${value}`)));

    const inPath = await ask('/api/users/');
    const inQuery = [];
    for (const name of ['limit', 'offset', 'cursor']) inQuery.push(await ask(`/api/users?${name}=`));

    for (const { status, body } of inPath) {
      expect([400, 404]).toContain(status);
      expect(JSON.parse(body)).toMatchObject({ success: false, error: expect.any(String) });
    }
    for (const answers of inQuery)
      answers.forEach((answer, index) => expectRejected(answer, values[index] ?? ''));
  });
});
