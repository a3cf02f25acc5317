import { createHmac, randomUUID } from 'node:crypto';
import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  IdempotentRequestInProgressError,
  RegistrationInProgressError,
  UnavailableError,
} from '../domain/errors';
import { isSameRegistration, type Registration } from '../domain/registration';
import { registrationOf } from '../domain/stored-user';
import { TimeBudget } from '../runtime/timeout';
import { ifAvailable } from './if-available';
import type { IdempotencyStore, UserCache, Users } from './ports/stores';
import type { RegistrationService } from './registration-service';

export interface IdempotentRegistrationServiceDeps {
  readonly records: IdempotencyStore;
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly completed: Pick<UserCache, 'find'>;
  readonly users: Pick<Users, 'findByEmail'>;
  /** What one request may wait for Redis, in all. */
  readonly redisTimeoutMs: number;
}

/** A registration that carries an idempotency key. */
export interface KeyedRegistration {
  readonly key: string;
  readonly registration: Registration;
  readonly requestId: string;
}

/**
 * Accepts registrations that carry an idempotency key: once one is accepted, all others with the same key and
 * registration are for 24 hours. Anything else is decided again each time. While Redis is unavailable, as
 * RegistrationService without a key.
 */
export class IdempotentRegistrationService {
  constructor(private readonly deps: IdempotentRegistrationServiceDeps) {}

  /**
   * Resolves to 'replayed' when an earlier attempt was accepted. Throws what RegistrationService.register() throws;
   * IdempotencyKeyReusedError when the key came with another registration before; IdempotentRequestInProgressError while
   * another attempt is in flight.
   */
  async register(keyed: KeyedRegistration): Promise<'accepted' | 'replayed'> {
    const { records, redisTimeoutMs } = this.deps;
    const { key, registration } = keyed;
    const attempt = { key, fingerprint: fingerprintOf(key, registration), attemptId: randomUUID() };
    const noResponse = () => new UnavailableError(`Redis did not respond within ${redisTimeoutMs} ms`);
    const redisBudget = new TimeBudget(redisTimeoutMs, noResponse);

    const claim = await ifAvailable(redisBudget.run(records.claim(attempt)));
    if (claim === 'registrationMismatch') throw new IdempotencyKeyReusedError('with another registration');
    if (claim === 'inProgress') throw new IdempotentRequestInProgressError('another attempt is in flight');
    if (claim === 'completed') return 'replayed';
    try {
      const result = await this.execute(keyed, claim === 'retry', redisBudget);
      // Also without a response to the claim, which may have been made, or may be yet.
      await ifAvailable(redisBudget.run(records.finish(attempt, 'accepted')));
      return result;
    } catch (error) {
      const outcome = isRejection(error) ? 'rejected' : 'unknown';
      await ifAvailable(redisBudget.run(records.finish(attempt, outcome)));
      throw error;
    }
  }

  private async execute(
    { registration, requestId }: KeyedRegistration,
    isRetry: boolean,
    redisBudget: TimeBudget,
  ): Promise<'accepted' | 'replayed'> {
    try {
      await this.deps.registrations.register(registration, requestId, redisBudget);
      return 'accepted';
    } catch (error) {
      // An earlier attempt may have been accepted without its client, or this service, getting to know.
      const mayBeOwn = isRetry && error instanceof AlreadyRegisteredError;
      if (mayBeOwn && (await this.isStored(registration, redisBudget))) return 'replayed';
      throw error;
    }
  }

  private async isStored(registration: Registration, redisBudget: TimeBudget): Promise<boolean> {
    const { completed, users } = this.deps;
    const { email } = registration;
    const cached = await ifAvailable(redisBudget.run(completed.find(email)));
    const user = cached ?? (await users.findByEmail(email));
    return user !== undefined && isSameRegistration(registrationOf(user), registration);
  }
}

// Keyed by what is not stored: the digest alone does not let anyone find out a registration by trying.
function fingerprintOf(key: string, registration: Registration): string {
  const { firstName, lastName, email, gender, sex, occupation } = registration;
  const fields = JSON.stringify([firstName, lastName, email, gender, sex, occupation]);
  return createHmac('sha256', key).update(fields).digest('hex');
}

// These are decided before anything is sent; after any other error the event may be on its way.
function isRejection(error: unknown): boolean {
  return error instanceof AlreadyRegisteredError || error instanceof RegistrationInProgressError;
}
