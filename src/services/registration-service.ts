import { randomUUID } from 'node:crypto';
import { AlreadyRegisteredError, RegistrationInProgressError, UnavailableError } from '../domain/errors';
import { isSameRegistration, type Registration } from '../domain/registration';
import { withTimeout, type TimeBudget } from '../runtime/timeout';
import type {
  CompletedUsers,
  DoubtfulKeys,
  FailedRegistrations,
  Measurements,
  PendingRegistrations,
  QueueRoom,
  RegistrationEvent,
  RegistrationQueue,
  Users,
} from './ports';

export interface RegistrationServiceDeps {
  readonly pending: PendingRegistrations;
  readonly completed: CompletedUsers;
  readonly failed: FailedRegistrations;
  readonly users: Pick<Users, 'isRegistered'>;
  readonly queue: RegistrationQueue;
  readonly doubtfulKeys: DoubtfulKeys;
  readonly measurements: Pick<Measurements, 'decidedWithout'>;
  readonly deliveryTimeoutMs: number;
}

type Away = typeof AWAY;
const AWAY = Symbol('away');

/** Accepts registrations: when register() resolves, Kafka holds the event and the e-mail will have this row. */
export class RegistrationService {
  constructor(private readonly deps: RegistrationServiceDeps) {}

  /**
   * Throws AlreadyRegisteredError, RegistrationInProgressError, or UnavailableError when the outcome is not known
   * in time (the reservation then stays: the event may still arrive) or nothing could be accepted. `redisWait` is
   * what the request may still wait for Redis when it has asked it before.
   */
  async register(registration: Registration, requestId: string, redisWait?: TimeBudget): Promise<void> {
    // Room comes first: a full queue then leaves no reservation behind. One that is made is never taken back, since
    // a retry with the same fields may have sent its event by then.
    const room = this.deps.queue.claim();
    try {
      const event = await this.reserve(registration, redisWait);
      await this.deliver(room, event, requestId);
    } finally {
      room.release();
    }
  }

  /** Resolves to the event to send: a new one, or the pending one that this is a retry of. */
  private async reserve(registration: Registration, redisWait?: TimeBudget): Promise<RegistrationEvent> {
    const { email } = registration;
    const candidate = { eventId: randomUUID(), acceptedAt: new Date().toISOString(), registration };

    const [claim, isStored] = await Promise.all([
      this.askRedis(candidate, redisWait),
      this.askPostgres(email),
    ]);

    if (claim === AWAY && isStored === AWAY) {
      throw new UnavailableError('neither Redis nor PostgreSQL could tell whether the e-mail is taken');
    }
    if (claim === AWAY) this.deps.measurements.decidedWithout('redis');
    if (isStored === AWAY) this.deps.measurements.decidedWithout('postgres');
    if (isStored === true || (claim !== AWAY && claim.isCompleted)) {
      if (claim !== AWAY && claim.holder === candidate) this.release(candidate);
      else this.deps.doubtfulKeys.add([email]);
      throw new AlreadyRegisteredError('the e-mail has a row');
    }
    if (claim === AWAY) return candidate;
    const { holder, hasFailed } = claim;
    if (holder === candidate && hasFailed) this.forgetFailure(email);
    if (holder && isSameRegistration(holder.registration, registration)) return holder;
    throw new RegistrationInProgressError('the e-mail is reserved for other fields');
  }

  private async deliver(room: QueueRoom, event: RegistrationEvent, requestId: string): Promise<void> {
    const { deliveryTimeoutMs } = this.deps;
    const timeout = (): Error => new UnavailableError(`Kafka did not confirm within ${deliveryTimeoutMs} ms`);
    await withTimeout(room.publish(event, requestId), deliveryTimeoutMs, timeout);
  }

  /**
   * The commands leave in one pipeline. `completed` is read behind the reservation: the writer sets it before it
   * deletes a reservation, so whoever could reserve a stored e-mail sees it there. A failure's mark is only asked
   * for: to delete it unseen would be one more write to the socket for each registration.
   */
  private async askRedis(
    candidate: RegistrationEvent,
    redisWait?: TimeBudget,
  ): Promise<Away | { holder: RegistrationEvent | undefined; isCompleted: boolean; hasFailed: boolean }> {
    const { email } = candidate.registration;
    const { pending, completed, failed, doubtfulKeys } = this.deps;
    try {
      const asked = Promise.all([pending.reserve(candidate), completed.find(email), failed.isMarked(email)]);
      const [holder, user, hasFailed] = await (redisWait?.run(asked) ?? asked);
      return { holder, isCompleted: user !== undefined, hasFailed };
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      // The reservation may have been made, or be made late by a server that was only slow.
      doubtfulKeys.add([email]);
      return AWAY;
    }
  }

  private async askPostgres(email: string): Promise<Away | boolean> {
    try {
      return await this.deps.users.isRegistered(email);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      return AWAY;
    }
  }

  // Not awaited, as below. Where it fails the mark ends by itself, and is looked at last.
  private forgetFailure(email: string): void {
    this.deps.failed.clear(email).catch(() => undefined);
  }

  // Not awaited: the answer does not depend on it. Another one's reservation is never deleted here, although the e-mail has
  // a row: until the `completed` key is there it is all that stops somebody whom PostgreSQL answered just before the row
  // was. The repair deletes it behind that key.
  private release({ eventId, registration: { email } }: RegistrationEvent): void {
    this.deps.pending.release(email, eventId).catch(() => this.deps.doubtfulKeys.add([email]));
  }
}
