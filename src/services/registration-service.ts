import { randomUUID } from 'node:crypto';
import { AlreadyRegisteredError, RegistrationInProgressError, UnavailableError } from '../domain/errors';
import { isSameRegistration, type Registration } from '../domain/registration';
import type { User } from '../domain/stored-user';
import { withTimeout, type TimeBudget } from '../runtime/timeout';
import { ifAvailable, runInBackground, UNAVAILABLE } from './if-available';
import type { RegistrationEvent, RegistrationQueue, SendPermit } from './ports/messaging';
import type { FailureMarks, Reservations, UserCache, Users } from './ports/stores';
import type { Logger, PipelineMetrics } from './ports/telemetry';
import { promoteToCompleted } from './promote-users';

export interface RegistrationServiceDeps {
  readonly pending: Reservations;
  readonly completed: UserCache;
  readonly failed: FailureMarks;
  readonly users: Pick<Users, 'isRegistered' | 'findByEmail'>;
  readonly queue: RegistrationQueue;
  readonly metrics: Pick<PipelineMetrics, 'decidedDegraded'>;
  readonly deliveryTimeoutMs: number;
  readonly log: Pick<Logger, 'error'>;
}

/** What Redis knows of an email once it has been asked to reserve it. */
interface Reservation {
  /** Undefined when its entry cannot be read. */
  readonly holder: RegistrationEvent | undefined;
  readonly user: User | undefined;
  readonly hasFailed: boolean;
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
    // First, so that a full queue leaves no reservation. One that was made is never released later, since a retry with
    // the same fields may have sent its event by then.
    const permit = this.deps.queue.acquire();
    try {
      const event = await this.reserve(registration, redisBudget);
      await this.deliver(permit, event, requestId);
    } finally {
      permit.release();
    }
  }

  /** Resolves to the event to send: a new one, or the pending one that this is a retry of. */
  private async reserve(registration: Registration, redisBudget?: TimeBudget): Promise<RegistrationEvent> {
    const { users, metrics } = this.deps;
    const { email } = registration;
    const candidate = { eventId: randomUUID(), acceptedAt: new Date().toISOString(), registration };

    const [reservation, isStored] = await Promise.all([
      ifAvailable(this.askRedis(candidate, redisBudget)),
      ifAvailable(users.isRegistered(email)),
    ]);

    if (reservation === UNAVAILABLE && isStored === UNAVAILABLE) {
      throw new UnavailableError('neither Redis nor PostgreSQL could tell whether the email is registered');
    }
    if (reservation === UNAVAILABLE) metrics.decidedDegraded('redis');
    if (isStored === UNAVAILABLE) metrics.decidedDegraded('postgres');
    if (isStored === true || (reservation !== UNAVAILABLE && reservation.user !== undefined)) {
      if (reservation !== UNAVAILABLE) this.endReservation(candidate, reservation);
      throw new AlreadyRegisteredError('the email has a row');
    }
    if (reservation === UNAVAILABLE) return candidate;
    const { holder, hasFailed } = reservation;
    // Where this fails the mark expires by itself, and the status looks at it last.
    if (holder === candidate && hasFailed) runInBackground(this.deps.failed.clear(email), this.deps.log);
    if (holder && isSameRegistration(holder.registration, registration)) return holder;
    throw new RegistrationInProgressError('the email is reserved for other fields');
  }

  private async deliver(permit: SendPermit, event: RegistrationEvent, requestId: string): Promise<void> {
    const { deliveryTimeoutMs } = this.deps;
    const timeout = (): Error => new UnavailableError(`Kafka did not confirm within ${deliveryTimeoutMs} ms`);
    await withTimeout(permit.publish(event, requestId), deliveryTimeoutMs, timeout);
  }

  /**
   * The commands leave in one pipeline. `completed` is read after the reservation: the writer sets it before it deletes a
   * reservation, so a client that could reserve a stored email sees it there. Of a failure only the existence is read:
   * deleting it unseen would be one more write to the socket for each registration.
   */
  private async askRedis(candidate: RegistrationEvent, redisBudget?: TimeBudget): Promise<Reservation> {
    const { email } = candidate.registration;
    const { pending, completed, failed } = this.deps;
    const asked = Promise.all([pending.reserve(candidate), completed.find(email), failed.isMarked(email)]);
    const [holder, user, hasFailed] = await (redisBudget?.run(asked) ?? asked);
    return { holder, user, hasFailed };
  }

  /** Ends the reservation of a stored email. Where this fails it is harmless: the row decides, and it expires in an hour. */
  private endReservation(candidate: RegistrationEvent, { holder, user }: Reservation): void {
    const { email } = candidate.registration;
    const isOwn = holder === candidate;
    const end = isOwn ? this.deps.pending.release(email, candidate.eventId) : this.promote(email, user);
    runInBackground(end, this.deps.log);
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
