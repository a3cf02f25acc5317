import type { Registration } from '../../src/domain/registration';
import { registrationOf, type User } from '../../src/domain/stored-user';
import { buildRegistration } from './builders';
import { postJson, type RawAnswer } from './raw-http';
import { sql, type Env } from './test-servers';

/** What one registration was answered; status 0: the connection was closed or rejected. */
export interface Attempt {
  readonly registration: Registration;
  readonly answer: RawAnswer;
}

/** Posts one registration. */
export async function register(
  url: string,
  registration: Registration = buildRegistration(),
): Promise<Attempt> {
  const answer = await postJson(`${url}/api/users`, registration).catch((error: unknown): RawAnswer => ({
    status: 0,
    headers: {},
    body: String(error),
  }));
  return { registration, answer };
}

/** Posts new registrations at a steady rate until stop() is called; resolves to all attempts then. */
export function startTraffic(url: string, perSecond: number): { stop: () => Promise<Attempt[]> } {
  const attempts: Promise<Attempt>[] = [];
  const timer = setInterval(() => attempts.push(register(url)), 1000 / perSecond);
  return {
    stop: () => {
      clearInterval(timer);
      return Promise.all(attempts);
    },
  };
}

/** How many attempts ended with each status. */
export function countByStatus(attempts: readonly Attempt[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { answer } of attempts) counts[answer.status] = (counts[answer.status] ?? 0) + 1;
  return counts;
}

/** Fails unless every 201 is exactly one row with its payload, and there is no other row. */
export async function expectStored(env: Env, attempts: readonly Attempt[]): Promise<void> {
  const rows = await sql(env, 'SELECT first_name, last_name, email, gender, sex, occupation FROM users');
  const byEmail = new Map(rows.map((row) => [row['email'], row]));
  const accepted = attempts.filter(({ answer }) => answer.status === 201);
  for (const { registration } of accepted) {
    expect(registrationOf(byEmail.get(registration.email) as unknown as User)).toEqual(registration);
  }
  expect(rows).toHaveLength(byEmail.size);
  const requested = new Set(attempts.map(({ registration }) => registration.email));
  expect(rows.filter(({ email }) => !requested.has(String(email)))).toEqual([]);
}
