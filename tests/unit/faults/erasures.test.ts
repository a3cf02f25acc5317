import type { Evidence } from '../../../dev/faults/evidence';
import { findViolations } from '../../../dev/faults/invariants';
import type { Registration } from '../../../src/domain/registration';
import {
  at,
  attempt,
  broken,
  erasure,
  evidence,
  other,
  registration,
  stored,
} from '../../support/fault-evidence';

describe('findViolations, with erasures', () => {
  const before = attempt({ sentAt: at(0) });
  const anew = attempt({ registration: other, sentAt: at(11) });
  const none = { rows: [], storedEmails: [] };
  const rowOf = (each: Registration): Partial<Evidence> => ({ rows: [{ ...each, id: 1 }] });
  const conflicts = { tolerates: ['conflicts'] } as const;

  it.each<[string, Evidence]>([
    ['who was erased has no row', evidence([before, erasure()], none)],
    ['who registered anew has the new row', evidence([before, erasure(), anew], rowOf(other))],
    ['a 503 may have erased', evidence([before, erasure({ status: 503 })], none)],
    ['a 503 may not have erased', evidence([before, erasure({ status: 503 })])],
    [
      'a registration beside an erasure is on either side',
      evidence([attempt({ sentAt: at(10) }), erasure()]),
    ],
    ['the other side', evidence([attempt({ sentAt: at(10) }), erasure()], none)],
    [
      'an event that Redis lost is told by its time, not within the clock margin',
      evidence([attempt({ sentAt: at(5) }), erasure()], conflicts),
    ],
    [
      'who was not erased may be replayed',
      evidence([before, erasure(), anew], { ...rowOf(other), replayable: [other.email] }),
    ],
    ['the id of an erased row is missing', evidence([before, erasure()], { ...none, isWithoutFault: true })],
  ])('finds nothing: %s', (_, run) => {
    expect(findViolations(run)).toEqual([]);
  });

  it.each<[string, Evidence]>([
    ['no row of what was erased', evidence([before, erasure()])],
    ['no row of what was erased', evidence([before, erasure()], conflicts)],
    ['no row of what was erased', evidence([before, erasure(), anew])],
    ['no row of what was erased', evidence([before, erasure(), { ...before, status: 409, sentAt: at(11) }])],
    [stored, evidence([before, erasure(), anew], none)],
    [stored, evidence([before, erasure({ status: 409 })], none)],
    ['nothing of people who are gone is left in Redis', evidence([], { keysOfGone: ['user:pending:…'] })],
    [
      'no replay would bring back people who are gone',
      evidence([before, erasure()], { ...none, replayable: [registration.email] }),
    ],
    [
      'the only responses are 201, 409 and 503, and 200 of an erasure',
      evidence([before, erasure({ status: 500 })]),
    ],
    ['each 503 has Retry-After', evidence([before, erasure({ status: 503, hasRetryAfter: false })])],
    ['no response takes longer than 10 s', evidence([before, erasure({ durationMs: 10_001 })])],
  ])('finds that it is broken: %s', (invariant, run) => {
    expect(broken(run)).toContain(invariant);
  });
});
