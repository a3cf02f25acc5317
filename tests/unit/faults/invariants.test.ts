import type { Evidence } from '../../../dev/faults/evidence';
import { findViolations } from '../../../dev/faults/invariants';
import { Journal, type Attempt } from '../../../dev/faults/journal';
import type { StoredEmail } from '../../../dev/faults/stored-emails';
import type { Registration } from '../../../src/domain/registration';
import { buildRegistration } from '../../support/builders';

const registration = buildRegistration();
const other: Registration = { ...registration, occupation: 'Other' };

function attempt(overrides: Partial<Attempt> = {}): Attempt {
  const hasRetryAfter = true;
  return {
    registration,
    status: 201,
    hasRetryAfter,
    error: '',
    durationMs: 5,
    sentAt: new Date(),
    ...overrides,
  };
}

const registered = { status: 409, body: '{"success":false,"error":"User already registered"}' };
const completed = { status: 200, body: '{"success":true,"data":{"email":"…","status":"completed"}}' };

function storedEmail(overrides: Partial<StoredEmail> = {}): StoredEmail {
  return { email: registration.email, posts: [registered, registered], status: completed, ...overrides };
}

/** A run in which one registration was accepted and stored; the overrides are what went differently. */
function evidence(attempts: readonly Attempt[], overrides: Partial<Evidence> = {}): Evidence {
  const journal = new Journal();
  attempts.forEach((each) => journal.add(each));
  return {
    tolerates: [],
    isWithoutFault: false,
    journal,
    planted: { deadLetters: [], registrations: [] },
    rows: [{ ...registration, id: 1 }],
    deadLetters: [],
    storedEmails: [storedEmail()],
    livenessFailures: [],
    recoveryFailures: [],
    ...overrides,
  };
}

const broken = (of: Evidence): string[] => findViolations(of).map(({ invariant }) => invariant);
const conflict = { email: registration.email, value: JSON.stringify(other), reason: 'conflict' };

describe('findViolations', () => {
  it('finds none when every promise was kept', () => {
    const retry = attempt({ status: 503 });
    const duplicate = attempt({ status: 409, error: 'User already registered' });

    expect(findViolations(evidence([retry, attempt(), duplicate]))).toEqual([]);
  });

  it.each<[string, Evidence]>([
    ['each 201 is exactly one row with that payload', evidence([attempt()], { rows: [] })],
    ['no email has two rows', evidence([attempt()], { rows: [1, 2].map((id) => ({ ...registration, id })) })],
    ['no row without a request', evidence([], {})],
    ['at most one payload of an email gets 201', evidence([attempt(), attempt({ registration: other })])],
    [
      'an email that is "already registered" has a row',
      evidence([attempt({ status: 409, error: 'User already registered' })], { rows: [] }),
    ],
    ['the only responses are 201, 409 and 503', evidence([attempt(), attempt({ status: 500 })])],
    ['each 503 has Retry-After', evidence([attempt(), attempt({ status: 503, hasRetryAfter: false })])],
    ['connections are cut only when a process ends', evidence([attempt(), attempt({ status: 0 })])],
    ['no response takes longer than 10 s', evidence([attempt({ durationMs: 10_001 })])],
    ...[
      { status: 201, body: '{"success":true}' },
      { status: 409, body: '{"success":false,"error":"Registration already in progress"}' },
      { status: 503, body: '' },
      { status: 0, body: 'connect ECONNREFUSED' },
    ].flatMap((wrong): [string, Evidence][] =>
      [
        [wrong, registered],
        [registered, wrong],
      ].map((posts) => [
        'every POST of a stored email gets 409 "already registered"',
        evidence([attempt()], { storedEmails: [storedEmail({ posts })] }),
      ]),
    ),
    ...[
      { status: 200, body: '{"success":true,"data":{"email":"…","status":"pending"}}' },
      { status: 404, body: '{"success":false,"error":"User not found"}' },
      { status: 503, body: '' },
    ].map((status): [string, Evidence] => [
      'the status of a stored email is "completed"',
      evidence([attempt()], { storedEmails: [storedEmail({ status })] }),
    ]),
    [
      'the dead letters are exactly the bad records and the conflicts',
      evidence([attempt()], { deadLetters: [conflict] }),
    ],
    [
      'the dead letters are exactly the bad records and the conflicts',
      evidence([attempt()], { planted: { deadLetters: ['bad'], registrations: [] } }),
    ],
    ['liveness is 200 throughout', evidence([attempt()], { livenessFailures: ['service-1'] })],
    ['all is well again after the fault', evidence([attempt()], { recoveryFailures: ['lag'] })],
    [
      'no id is skipped in a run without a fault',
      evidence([attempt(), attempt({ registration: { ...other, email: 'other@example.com' } })], {
        isWithoutFault: true,
        rows: [
          { ...registration, id: 1 },
          { ...other, email: 'other@example.com', id: 3 },
        ],
      }),
    ],
  ])('finds that it is broken: %s', (invariant, run) => {
    expect(broken(run)).toContain(invariant);
  });

  it('accepts a conflict dead letter in place of a row only where conflicts may happen', () => {
    const attempts = [attempt(), attempt({ registration: other })];

    expect(findViolations(evidence(attempts, { tolerates: ['conflicts'], deadLetters: [conflict] }))).toEqual(
      [],
    );
    expect(broken(evidence(attempts, { tolerates: ['conflicts'] }))).toEqual([
      'each 201 is exactly one row with that payload',
    ]);
  });

  it('names the emails concerned', () => {
    const [violation] = findViolations(evidence([attempt()], { rows: [] }));

    expect(violation?.emails).toEqual([registration.email]);
  });
});
