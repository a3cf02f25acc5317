import { randomUUID } from 'node:crypto';
import { isErased } from '../domain/erasure';
import { AlreadyRegisteredError, RegistrationInProgressError, UnavailableError } from '../domain/errors';
import { isSameRegistration, type Registration } from '../domain/registration';
import type { User } from '../domain/stored-user';
import { withTimeout, type TimeBudget } from '../runtime/timeout';
import { ifAvailable, runInBackground } from './if-available';
import type { RegistrationEvent, RegistrationQueue } from './ports/messaging';
import type { FailureMarks, Reservations, UserCache, Users } from './ports/stores';
import type { Logger, PipelineMetrics } from './ports/telemetry';
import { originOfEvent } from './registration-record';
import { promoteToCompleted } from './registration-writer';

export interface RegistrationServiceDeps {
  readonly pending: Reservations;
  readonly completed: UserCache;
  readonly failed: FailureMarks;
  readonly users: Pick<Users, 'isRegistered' | 'findByEmail' | 'findErasure'>;
  readonly queue: RegistrationQueue;
  readonly metrics: Pick<PipelineMetrics, 'decidedDegraded'>;
  readonly deliveryTimeoutMs: number;
  readonly log: Pick<Logger, 'error'>;
}

/** Accepts registrations: when register() resolves, Kafka holds the event and the email will have this row. */
export class RegistrationService {
  constructor(private readonly deps: RegistrationServiceDeps) {}

  /**
   * Throws AlreadyRegisteredError, RegistrationInProgressError, or UnavailableError when the outcome is not known
   * in time (the reservation then stays: the event may still arrive) or nothing could be accepted. `redisBudget` is
   * what the request may still wait for Redis when it has asked it before.
   */
  async register(registration: Registration, requestId: string, redisBudget?: TimeBudget): Promise<void> {
    const { queue, deliveryTimeoutMs } = this.deps;
    // First, so that a full queue leaves no reservation. One that was made is never released later, since a retry with
    // the same fields may have sent its event by then.
    const permit = queue.acquire();
    const timeout = (): Error => new UnavailableError(`Kafka did not confirm within ${deliveryTimeoutMs} ms`);
    try {
      const event = await this.reserve(registration, redisBudget);
      await withTimeout(permit.publish(event, requestId), deliveryTimeoutMs, timeout);
    } finally {
      permit.release();
    }
  }

  /** Resolves to the event to send: a new one, or the pending one that this is a retry of. */
  private async reserve(
    registration: Registration,
    redisBudget?: TimeBudget,
    isFirstTry = true,
  ): Promise<RegistrationEvent> {
    const { users, pending, failed, metrics, log } = this.deps;
    const { email } = registration;
    const candidate = { eventId: randomUUID(), acceptedAt: new Date().toISOString(), registration };

    const [reservation, isStored] = await Promise.all([
      ifAvailable(this.askRedis(candidate, redisBudget)),
      ifAvailable(users.isRegistered(email)),
    ]);

    if (reservation === null && isStored === null) {
      throw new UnavailableError('neither Redis nor PostgreSQL could tell whether the email is registered');
    }
    if (reservation === null) metrics.decidedDegraded('redis');
    if (isStored === null) metrics.decidedDegraded('postgres');
    if (isStored === true || reservation?.user) {
      // Where its end fails it is harmless: the row decides, and it expires in an hour.
      if (reservation?.holder === candidate) runInBackground(pending.release(email, candidate.eventId), log);
      else if (reservation) runInBackground(this.promote(email, reservation.user), log);
      throw new AlreadyRegisteredError('the email has a row');
    }
    if (reservation === null) return candidate;
    const { holder, hasFailed } = reservation;
    if (holder === candidate) {
      // Where this fails the mark expires by itself, and the status looks at it last.
      if (hasFailed) runInBackground(failed.clear(email), log);
      return candidate;
    }
    const erasure = isFirstTry && holder ? await ifAvailable(users.findErasure(email)) : undefined;
    if (holder && erasure && isErased(originOfEvent(holder), erasure)) {
      // Left by a Redis that was unavailable when the email was erased, or has older data. The writer would refuse its event.
      const releasing = pending.release(email, holder.eventId);
      await (redisBudget?.run(releasing) ?? releasing);
      return this.reserve(registration, redisBudget, false);
    }
    if (holder && isSameRegistration(holder.registration, registration))
      // Nobody could tell whether that event is erased. Accepted anew it is not, and who is erased next is known by its id.
      return erasure === null ? { ...holder, acceptedAt: candidate.acceptedAt } : holder;
    throw new RegistrationInProgressError('the email is reserved for other fields');
  }

  /**
   * The commands leave in one pipeline. `completed` is read after the reservation: the writer sets it before it deletes a
   * reservation, so a client that could reserve a stored email sees it there. Of a failure only the existence is read:
   * deleting it unseen would be one more write to the socket for each registration.
   */
  private async askRedis(candidate: RegistrationEvent, redisBudget?: TimeBudget) {
    const { email } = candidate.registration;
    const { pending, completed, failed } = this.deps;
    const reserved = pending.reserve(candidate);
    const asked = Promise.all([reserved, completed.find(email, reserved), failed.isMarked(email)]);
    const [holder, user, hasFailed] = await (redisBudget?.run(asked) ?? asked);
    return { holder, user, hasFailed };
  }

  /**
   * Another client's reservation may only go once the `completed` key is there: until then it is all that stops a request
   * that PostgreSQL answered just before the row was committed.
   */
  private async promote(email: string, cached: User | undefined): Promise<void> {
    const user = cached ?? (await this.deps.users.findByEmail(email));
    if (user !== undefined) await promoteToCompleted(this.deps, [user]);
  }
}
