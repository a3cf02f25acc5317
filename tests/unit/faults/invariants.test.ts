import type { Evidence } from '../../../dev/faults/evidence';
import { findViolations } from '../../../dev/faults/invariants';
import { buildRegistration, buildUser } from '../../support/builders';
import {
  announcedOf,
  attempt,
  broken,
  evidence,
  other,
  registered,
  registration,
  stored,
  storedEmail,
} from '../../support/fault-evidence';

const conflict = { email: registration.email, value: JSON.stringify(other), reason: 'conflict' };

describe('findViolations', () => {
  it('finds none when every promise was kept', () => {
    const retry = attempt({ status: 503 });
    const duplicate = attempt({ status: 409, error: 'User already registered' });

    expect(findViolations(evidence([retry, attempt(), duplicate]))).toEqual([]);
  });

  it.each<[string, Evidence]>([
    [stored, evidence([attempt()], { rows: [] })],
    ['no email has two rows', evidence([attempt()], { rows: [1, 2].map((id) => ({ ...registration, id })) })],
    ['no row without a request', evidence([], {})],
    ['at most one payload of an email gets 201', evidence([attempt(), attempt({ registration: other })])],
    [
      'an email that is "already registered" has a row',
      evidence([attempt({ status: 409, error: 'User already registered' })], { rows: [] }),
    ],
    [
      'the only responses are 201, 409 and 503, and 200 of an erasure',
      evidence([attempt(), attempt({ status: 500 })]),
    ],
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
    ...[
      [],
      [buildUser(registration, 2)],
      [buildUser(other, 1)],
      [buildUser(registration, 1), buildUser(buildRegistration(), 2)],
      [buildUser(other, 1), buildUser(registration, 1)],
      [{ ...buildUser(registration, 1), updated_at: '2020-01-01T00:00:00.000Z' }],
    ].map((told): [string, Evidence] => [
      'the events topic, compacted, is the users table',
      evidence([attempt()], { announced: announcedOf([buildUser(registration, 1)], told) }),
    ]),
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
    expect(broken(evidence(attempts, { tolerates: ['conflicts'] }))).toEqual([stored]);
  });

  it('accepts a bad record twice among the dead letters only where everything is read again', () => {
    const bad = { email: 'bad@example.com', value: 'bad', reason: 'invalid' };
    const twice = { deadLetters: [bad, bad], planted: { deadLetters: ['bad'], registrations: [] } };

    expect(broken(evidence([attempt()], { ...twice, tolerates: ['repeats'] }))).toEqual([]);
    expect(broken(evidence([attempt()], twice))).toEqual([
      'the dead letters are exactly the bad records and the conflicts',
    ]);
  });

  it('names the emails concerned', () => {
    const [violation] = findViolations(evidence([attempt()], { rows: [] }));

    expect(violation?.emails).toEqual([registration.email]);
  });
});
