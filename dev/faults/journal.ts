import type { Registration } from '../../src/domain/registration';

/** One request and its outcome. */
export interface Exchange {
  /** 0: the connection was refused or cut, or the client's own timeout ended the request. */
  readonly status: number;
  readonly hasRetryAfter: boolean;
  /** The error's sentence, or what happened to the connection. */
  readonly error: string;
  readonly durationMs: number;
  readonly sentAt: Date;
}

/** One POST. */
export interface Attempt extends Exchange {
  readonly registration: Registration;
}

/** One DELETE. */
export interface Erasure extends Exchange {
  readonly email: string;
  /** Whether it deleted a row. */
  readonly hadRow: boolean;
}

/** Every request of the clients with its outcome, by email. */
export class Journal {
  private readonly attempts = new Map<string, Attempt[]>();
  private readonly erasures = new Map<string, Erasure[]>();
  private readonly counts = new Map<number, number>();
  private worst = 0;

  add(attempt: Attempt): void {
    append(this.attempts, attempt.registration.email, attempt);
    this.counts.set(attempt.status, this.count(attempt.status) + 1);
    this.worst = Math.max(this.worst, attempt.durationMs);
  }

  addErasure(erasure: Erasure): void {
    append(this.erasures, erasure.email, erasure);
    this.worst = Math.max(this.worst, erasure.durationMs);
  }

  /** Of POSTs. */
  count(status: number): number {
    return this.counts.get(status) ?? 0;
  }

  /** Of all requests. */
  get worstMs(): number {
    return this.worst;
  }

  /** How many POSTs. */
  get size(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many DELETEs got 200. */
  get erased(): number {
    return [...this.allErasures()].filter(({ status }) => status === 200).length;
  }

  get erasedRows(): number {
    return [...this.allErasures()].filter(({ hadRow }) => hadRow).length;
  }

  get erasedEmails(): Iterable<string> {
    return this.erasures.keys();
  }

  attemptsFor(email: string): readonly Attempt[] {
    return this.attempts.get(email) ?? [];
  }

  erasuresOf(email: string): readonly Erasure[] {
    return this.erasures.get(email) ?? [];
  }

  emailsSentBetween(from: Date, to: Date): Set<string> {
    const sent = [...this].filter(({ sentAt }) => sentAt >= from && sentAt <= to);
    return new Set(sent.map(({ registration }) => registration.email));
  }

  /** POSTs and DELETEs with the email that each is about. */
  *exchanges(): IterableIterator<[string, Exchange]> {
    for (const attempt of this) yield [attempt.registration.email, attempt];
    for (const erasure of this.allErasures()) yield [erasure.email, erasure];
  }

  /** The POSTs. */
  *[Symbol.iterator](): IterableIterator<Attempt> {
    for (const attempts of this.attempts.values()) yield* attempts;
  }

  private *allErasures(): IterableIterator<Erasure> {
    for (const erasures of this.erasures.values()) yield* erasures;
  }
}

function append<T>(lists: Map<string, T[]>, email: string, item: T): void {
  const earlier = lists.get(email);
  if (earlier === undefined) lists.set(email, [item]);
  else earlier.push(item);
}
