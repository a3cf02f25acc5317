import { createHmac, randomUUID } from 'node:crypto';
import {
  AlreadyRegisteredError,
  IdempotencyKeyReusedError,
  IdempotentRequestInProgressError,
  UnavailableError,
  ValidationError,
} from '../domain/errors';
import { isSameRegistration, type Registration } from '../domain/registration';
import { registrationOf } from '../domain/user';
import { TimeBudget } from '../runtime/timeout';
import type {
  CompletedUsers,
  IdempotencyClaim,
  IdempotencyRecords,
  IdempotentAttempt,
  IdempotentOutcome,
  Users,
} from './ports';
import type { RegistrationService } from './registration-service';
import { unlessAway } from './unless-away';

export interface IdempotentRegistrationServiceDeps {
  readonly records: IdempotencyRecords;
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly completed: Pick<CompletedUsers, 'find'>;
  readonly users: Pick<Users, 'findByEmail'>;
  /** What one request may wait for Redis, in all. */
  readonly redisTimeoutMs: number;
}

/** A submission that carries an idempotency key. */
export interface KeyedSubmission {
  readonly key: string;
  /** The bytes that came. */
  readonly body: Buffer;
  /** What the bytes say. Throws ValidationError. */
  readonly parse: () => Registration;
  readonly requestId: string;
}

type Claimed = Extract<IdempotencyClaim, { state: 'claimed' }>;

/** What an attempt came to. `isReplay`: an earlier one had come to it before. */
interface Ending {
  readonly outcome: IdempotentOutcome;
  readonly isReplay: boolean;
}

/**
 * Accepts registrations that carry an idempotency key: the first attempt that comes to a lasting outcome (accepted,
 * invalid, already registered) decides all others with the same key and body for 24 hours. While Redis is away, as
 * RegistrationService without a key.
 */
export class IdempotentRegistrationService {
  constructor(private readonly deps: IdempotentRegistrationServiceDeps) {}

  /**
   * Throws ValidationError and what RegistrationService.register() throws; IdempotencyKeyReusedError when the key came
   * with another body before; IdempotentRequestInProgressError while another attempt is under way. `onReplay` is
   * called first when the outcome is an earlier attempt's.
   */
  async register(submission: KeyedSubmission, onReplay: () => void): Promise<Registration> {
    const { key, body, parse } = submission;
    const attempt = { key, fingerprint: fingerprintOf(key, body), attemptId: randomUUID() };
    const redisWait = this.redisWait();

    const claim = await unlessAway(redisWait.run(this.deps.records.claim(attempt)));
    if (claim?.state === 'other body') throw new IdempotencyKeyReusedError('the key came with another body');
    if (claim?.state === 'in progress') throw new IdempotentRequestInProgressError('another is under way');
    const { outcome, isReplay } =
      claim?.state === 'ended'
        ? { outcome: claim.outcome, isReplay: true }
        : await this.workOn(submission, attempt, claim, redisWait);

    if (isReplay) onReplay();
    throwUnlessAccepted(outcome);
    return parse();
  }

  private async workOn(
    submission: KeyedSubmission,
    attempt: IdempotentAttempt,
    claim: Claimed | undefined,
    redisWait: TimeBudget,
  ): Promise<Ending> {
    const { records } = this.deps;
    const end = (work: Promise<void>): Promise<void> => unlessAway(redisWait.run(work));
    try {
      const ending = await this.tryOnce(submission, claim?.isRetry === true, redisWait);
      // A claim that timed out may still be made. Whether it would have been a retry is not known, so nothing is kept.
      await end(claim ? records.keep(attempt, ending.outcome) : records.release(attempt));
      return ending;
    } catch (error) {
      // Another attempt may end otherwise.
      await end(records.release(attempt));
      throw error;
    }
  }

  private async tryOnce(
    { parse, requestId }: KeyedSubmission,
    isRetry: boolean,
    redisWait: TimeBudget,
  ): Promise<Ending> {
    try {
      await this.deps.registrations.register(parse(), requestId, redisWait);
      return { outcome: { kind: 'accepted' }, isReplay: false };
    } catch (error) {
      if (error instanceof ValidationError)
        return { outcome: { kind: 'invalid', message: error.message }, isReplay: false };
      if (!(error instanceof AlreadyRegisteredError)) throw error;
    }
    // An earlier attempt may have been accepted, and its process have died before it could say so.
    const isOwn = isRetry && (await this.isStored(parse(), redisWait));
    return { outcome: { kind: isOwn ? 'accepted' : 'registered' }, isReplay: isOwn };
  }

  private async isStored(registration: Registration, redisWait: TimeBudget): Promise<boolean> {
    const { completed, users } = this.deps;
    const { email } = registration;
    const cached = await unlessAway(redisWait.run(completed.find(email)));
    const user = cached ?? (await users.findByEmail(email));
    return user !== undefined && isSameRegistration(registrationOf(user), registration);
  }

  private redisWait(): TimeBudget {
    const { redisTimeoutMs } = this.deps;
    return new TimeBudget(
      redisTimeoutMs,
      () => new UnavailableError(`Redis did not answer within ${redisTimeoutMs} ms`),
    );
  }
}

// Keyed by what is not stored: from the digest alone nobody can find out a body by trying.
function fingerprintOf(key: string, body: Buffer): string {
  return createHmac('sha256', key).update(body).digest('hex');
}

function throwUnlessAccepted(outcome: IdempotentOutcome): void {
  switch (outcome.kind) {
    case 'accepted':
      return;
    case 'registered':
      throw new AlreadyRegisteredError('the e-mail has a row');
    case 'invalid':
      throw new ValidationError(outcome.message);
  }
}
