import { UnavailableError } from '../../../src/domain/errors';
import type {
  DeadLetter,
  DeadLetters,
  ErasedUser,
  RegisteredUser,
  RegistrationEvent,
  RegistrationQueue,
  SendPermit,
  UserEvents,
} from '../../../src/services/ports/messaging';
import type { OutgoingRecord, RegistrationPublisher } from '../../../src/tools/registration-publisher';
import { Dependency } from './dependency';

/** The events topic, in order. */
export class RecordingUserEvents extends Dependency implements UserEvents {
  readonly published: (RegisteredUser | ErasedUser)[] = [];

  async registered(users: readonly RegisteredUser[]): Promise<void> {
    return this.record(users);
  }

  async erased(users: readonly ErasedUser[]): Promise<void> {
    return this.record(users);
  }

  private async record(users: readonly (RegisteredUser | ErasedUser)[]): Promise<void> {
    this.reach();
    this.published.push(...users);
    return Promise.resolve();
  }
}

/** Confirms at once, unless told to be full or to stay silent. */
export class RecordingQueue implements RegistrationQueue {
  readonly published: { readonly event: RegistrationEvent; readonly requestId: string }[] = [];
  claims = 0;
  isFull = false;
  isSilent = false;

  acquire(): SendPermit {
    if (this.isFull) throw new UnavailableError('full');
    this.claims += 1;
    let isHeld = true;
    const release = (): void => {
      if (isHeld) this.claims -= 1;
      isHeld = false;
    };
    return {
      release,
      publish: (event, requestId) => {
        release();
        this.published.push({ event, requestId });
        return this.isSilent ? new Promise(() => undefined) : Promise.resolve();
      },
    };
  }
}

export class RecordingDeadLetters extends Dependency implements DeadLetters {
  readonly published: DeadLetter[] = [];

  async publish(deadLetters: readonly DeadLetter[]): Promise<void> {
    this.reach();
    this.published.push(...deadLetters);
    return Promise.resolve();
  }
}

export class RecordingPublisher
  extends Dependency
  implements Pick<RegistrationPublisher, 'republish' | 'publish'>
{
  readonly records: OutgoingRecord[] = [];
  readonly events: RegistrationEvent[] = [];

  async republish(records: readonly OutgoingRecord[]): Promise<void> {
    this.reach();
    this.records.push(...records);
    return Promise.resolve();
  }

  async publish(events: readonly RegistrationEvent[]): Promise<void> {
    this.reach();
    this.events.push(...events);
    return Promise.resolve();
  }
}
