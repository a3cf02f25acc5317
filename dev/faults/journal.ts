import type { Registration } from '../../src/domain/registration';

/** One POST and its outcome. */
export interface Attempt {
  readonly registration: Registration;
  /** 0: the connection was refused or cut, or the client's own timeout ended the request. */
  readonly status: number;
  readonly hasRetryAfter: boolean;
  /** The error's sentence, or what happened to the connection. */
  readonly error: string;
  readonly durationMs: number;
  readonly sentAt: Date;
}

/** Every request of the clients with its outcome, by email. */
export class Journal {
  private readonly byEmail = new Map<string, Attempt[]>();
  private readonly counts = new Map<number, number>();
  private worst = 0;

  add(attempt: Attempt): void {
    const { email } = attempt.registration;
    const earlier = this.byEmail.get(email);
    if (earlier === undefined) this.byEmail.set(email, [attempt]);
    else earlier.push(attempt);
    this.counts.set(attempt.status, this.count(attempt.status) + 1);
    this.worst = Math.max(this.worst, attempt.durationMs);
  }

  count(status: number): number {
    return this.counts.get(status) ?? 0;
  }

  get worstMs(): number {
    return this.worst;
  }

  get size(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  attemptsFor(email: string): readonly Attempt[] {
    return this.byEmail.get(email) ?? [];
  }

  emailsSentBetween(from: Date, to: Date): Set<string> {
    const sent = [...this].filter(({ sentAt }) => sentAt >= from && sentAt <= to);
    return new Set(sent.map(({ registration }) => registration.email));
  }

  *[Symbol.iterator](): IterableIterator<Attempt> {
    for (const attempts of this.byEmail.values()) yield* attempts;
  }
}
