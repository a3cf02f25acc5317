import { randomUUID } from 'node:crypto';
import type { Registration } from '../../src/domain/registration';
import type { User } from '../../src/domain/user';
import type { IdempotentAttempt, ReceivedRecord, RegistrationEvent } from '../../src/services/ports';

/** An address no other test uses. */
export function uniqueEmail(): string {
  return `user-${randomUUID()}@example.com`;
}

/** A valid registration; the overrides are what the test is about. */
export function buildRegistration(overrides: Partial<Registration> = {}): Registration {
  return {
    firstName: 'John',
    lastName: 'Doe',
    email: uniqueEmail(),
    gender: 'non-binary',
    sex: 'male',
    occupation: 'Software Engineer',
    ...overrides,
  };
}

export function buildEvent(overrides: Partial<RegistrationEvent> = {}): RegistrationEvent {
  return {
    eventId: randomUUID(),
    acceptedAt: '2026-01-02T03:04:05.678Z',
    registration: buildRegistration(),
    ...overrides,
  };
}

/** The row that a registration becomes. */
export function buildUser(registration: Registration = buildRegistration(), id = 1): User {
  return {
    id,
    first_name: registration.firstName,
    last_name: registration.lastName,
    email: registration.email,
    gender: registration.gender,
    sex: registration.sex,
    occupation: registration.occupation,
    created_at: '2026-01-02T03:04:05.678Z',
    updated_at: '2026-01-02T03:04:05.678Z',
  };
}

/** A record as the API would have sent it; `value` may be anything. */
export function buildRecord(
  overrides: Partial<Omit<ReceivedRecord, 'value'>> & { value?: unknown } = {},
): ReceivedRecord {
  const { value = buildRegistration(), ...others } = overrides;
  const email = (value as Partial<Registration> | null)?.email;
  return {
    topic: 'user-registration',
    partition: 0,
    offset: '0',
    key: email === undefined ? null : Buffer.from(email),
    value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    headers: { 'event-id': Buffer.from(randomUUID()), 'request-id': Buffer.from('req-1') },
    ...others,
  };
}

/** A try of a request whose idempotency key no other test uses. */
export function buildAttempt(overrides: Partial<IdempotentAttempt> = {}): IdempotentAttempt {
  return { key: randomUUID(), fingerprint: 'one body', attemptId: randomUUID(), ...overrides };
}
