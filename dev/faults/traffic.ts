import { setTimeout as sleep } from 'node:timers/promises';
import type { Registration } from '../../src/domain/registration';
import type { Balancer } from './balancer';
import { ask } from './http-client';
import type { Journal } from './journal';
import type { Random } from './random';

const tickMs = 10;
const clientTimeoutMs = 20_000;
const retryPauseMs = { min: 300, max: 5000 };

// Of 100 registrations; the rest has other fields for a known email.
const mix = { unique: 70, duplicate: 15 } as const;

export interface TrafficDeps {
  readonly balancer: Balancer;
  readonly journal: Journal;
  readonly random: Random;
  readonly perSecond: number;
}

/** Front ends that register at a steady rate and retry after 503 or a cut connection, half of the time with other fields. */
export class Traffic {
  /** Registrations so far; the retries of one do not count. */
  started = 0;
  private readonly known: Registration[] = [];
  private readonly open = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private givesUpAt = Infinity;

  constructor(private readonly deps: TrafficDeps) {}

  /** Starts, or resumes after pause(). */
  start(perSecond = this.deps.perSecond): void {
    clearInterval(this.timer);
    const startedAt = performance.now();
    let sent = 0;
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
      for (; sent < due; sent += 1) this.startOne();
    }, tickMs);
  }

  /** Starts no more registrations; resolves when all have a final response, or are given up after `patienceMs`. */
  async pause(patienceMs: number): Promise<void> {
    clearInterval(this.timer);
    this.givesUpAt = performance.now() + patienceMs;
    await Promise.all(this.open);
    this.givesUpAt = Infinity;
  }

  get openCount(): number {
    return this.open.size;
  }

  private startOne(): void {
    this.started += 1;
    const work = this.registerWithRetries(this.nextRegistration()).finally(() => this.open.delete(work));
    this.open.add(work);
  }

  private nextRegistration(): Registration {
    const { random } = this.deps;
    const kind = random.between(1, 100);
    if (kind <= mix.unique || this.known.length === 0) {
      const registration = newRegistration(this.known.length, random);
      this.known.push(registration);
      return registration;
    }
    const known = random.pick(this.known);
    return kind <= mix.unique + mix.duplicate ? known : withOtherFields(known, random);
  }

  private async registerWithRetries(first: Registration): Promise<void> {
    const { random } = this.deps;
    let registration = first;
    let pauseMs = retryPauseMs.min;
    for (;;) {
      const status = await this.register(registration);
      const isFinal = status !== 503 && status !== 0;
      if (isFinal || performance.now() > this.givesUpAt) return;
      await sleep(pauseMs * (0.5 + random.next()));
      pauseMs = Math.min(pauseMs * 2, retryPauseMs.max);
      if (random.next() < 0.5) registration = withOtherFields(registration, random);
    }
  }

  private async register(registration: Registration): Promise<number> {
    const { balancer, journal } = this.deps;
    const sentAt = new Date();
    const response = await ask(`${balancer.next().url}/api/users`, clientTimeoutMs, registration);
    journal.add({
      registration,
      status: response.status,
      hasRetryAfter: response.retryAfter !== undefined,
      error: response.status === 201 ? '' : response.body,
      durationMs: response.durationMs,
      sentAt,
    });
    return response.status;
  }
}

function newRegistration(number: number, random: Random): Registration {
  return {
    firstName: `Name${number}`,
    lastName: random.pick(['Doe', 'Müller', "O'Neill", '山田']),
    email: `user-${number}-${random.between(0, 0xffffff).toString(16)}@example.com`,
    gender: random.pick(['male', 'female', 'non-binary', 'prefer-not-to-say'] as const),
    sex: random.pick(['male', 'female', 'intersex'] as const),
    occupation: 'Tester',
  };
}

function withOtherFields(registration: Registration, random: Random): Registration {
  return { ...registration, occupation: `Other ${random.between(0, 0xffffff).toString(16)}` };
}
