import { setTimeout as sleep } from 'node:timers/promises';
import type { Registration } from '../../src/domain/registration';
import type { Balancer } from './balancer';
import { ask, type HttpResponse } from './http-client';
import type { Journal } from './journal';
import type { Random } from './random';

const tickMs = 10;
const clientTimeoutMs = 20_000;
const retryPauseMs = { min: 300, max: 5000 };

// Of 100 requests; the rest has other fields for a known email.
const mix = { erasure: 5, unique: 70, duplicate: 15 } as const;

export interface TrafficDeps {
  readonly balancer: Balancer;
  readonly journal: Journal;
  readonly random: Random;
  readonly perSecond: number;
  /** Without it nobody is erased. */
  readonly adminKey?: string;
}

/**
 * Front ends that register at a steady rate and retry after 503 or a cut connection, half of the time with other fields;
 * and a back end that erases some of those who got 201. Half of the erased register again at once.
 */
export class Traffic {
  private readonly known: Registration[] = [];
  /** Those with a 201, in its order. */
  private readonly accepted: Registration[] = [];
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

  /** Starts no more requests; resolves when all have a final response, or are given up after `patienceMs`. */
  async pause(patienceMs: number): Promise<void> {
    clearInterval(this.timer);
    this.givesUpAt = performance.now() + patienceMs;
    await Promise.all(this.open);
    this.givesUpAt = Infinity;
  }

  get openCount(): number {
    return this.open.size;
  }

  /** Erases one person, with retries; resolves to the last status. */
  erase(email: string): Promise<number> {
    return this.withRetries(() => this.eraseOnce(email));
  }

  private startOne(): void {
    const work = this.doNext().finally(() => this.open.delete(work));
    this.open.add(work);
  }

  private async doNext(): Promise<void> {
    const { random, adminKey } = this.deps;
    const kind = random.between(1, 100);
    if (kind <= mix.erasure && adminKey !== undefined && this.accepted.length > 0) {
      await this.eraseAndMaybeRegister();
    } else if (kind <= mix.erasure + mix.unique || this.known.length === 0) {
      const registration = newRegistration(this.known.length, random);
      this.known.push(registration);
      await this.registerWithRetries(registration);
    } else {
      const known = random.pick(this.known);
      const isDuplicate = kind <= mix.erasure + mix.unique + mix.duplicate;
      await this.registerWithRetries(isDuplicate ? known : withOtherFields(known, random));
    }
  }

  /** The last one accepted, who may still be pending, or any other; a row of less than ten seconds gets 409. */
  private async eraseAndMaybeRegister(): Promise<void> {
    const { random } = this.deps;
    const person = random.pick(random.next() < 0.5 ? this.accepted.slice(-1) : this.accepted);
    const status = await this.erase(person.email);
    if (status === 200 && random.next() < 0.5)
      await this.registerWithRetries(random.next() < 0.5 ? person : withOtherFields(person, random));
  }

  private async registerWithRetries(first: Registration): Promise<void> {
    const { random } = this.deps;
    let next = first;
    await this.withRetries(() => {
      const registration = next;
      if (random.next() < 0.5) next = withOtherFields(registration, random);
      return this.register(registration);
    });
  }

  private async withRetries(send: () => Promise<number>): Promise<number> {
    let pauseMs = retryPauseMs.min;
    for (;;) {
      const status = await send();
      const isFinal = status !== 503 && status !== 0;
      if (isFinal || performance.now() > this.givesUpAt) return status;
      await sleep(pauseMs * (0.5 + this.deps.random.next()));
      pauseMs = Math.min(pauseMs * 2, retryPauseMs.max);
    }
  }

  private async eraseOnce(email: string): Promise<number> {
    const { balancer, journal, adminKey = '' } = this.deps;
    const sentAt = new Date();
    const url = `${balancer.next().url}/api/users/${encodeURIComponent(email)}`;
    const headers = { Authorization: `Bearer ${adminKey}` };
    const response = await ask(url, clientTimeoutMs, undefined, { method: 'DELETE', headers });
    const hadRow = response.body.includes('"row":true');
    journal.addErasure({ email, hadRow, ...outcomeOf(response, 200), sentAt });
    return response.status;
  }

  private async register(registration: Registration): Promise<number> {
    const { balancer, journal } = this.deps;
    const sentAt = new Date();
    const response = await ask(`${balancer.next().url}/api/users`, clientTimeoutMs, registration);
    journal.add({ registration, ...outcomeOf(response, 201), sentAt });
    if (response.status === 201) this.accepted.push(registration);
    return response.status;
  }
}

function outcomeOf({ status, retryAfter, body, durationMs }: HttpResponse, success: number) {
  return {
    status,
    hasRetryAfter: retryAfter !== undefined,
    error: status === success ? '' : body,
    durationMs,
  };
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
