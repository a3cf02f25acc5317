import type { Registration } from '../../src/domain/registration';
import type { Target } from './balancer';
import { ask, type HttpResponse } from './http-client';
import type { Random } from './random';

// Three requests each: some ten seconds. The rows of a run of twenty minutes would take minutes.
const maxEmails = 5000;
const concurrency = 16;
const timeoutMs = 10_000;

/** A response, as far as a promise is about it. */
export type StatusAndBody = Pick<HttpResponse, 'status' | 'body'>;

/** What the service says about an email that has a row. */
export interface StoredEmail {
  readonly email: string;
  /** Of two POSTs: one with the stored fields, one with other fields. */
  readonly posts: readonly StatusAndBody[];
  /** Of GET /api/users/:email/status. */
  readonly status: StatusAndBody;
}

/** Emails where a broken promise is likelier than elsewhere. */
export interface Suspects {
  /** With a reservation still in Redis, or put into the topic by hand. Always asked about, however many they are. */
  readonly reservedOrPlanted: ReadonlySet<string>;
  /** Requested while the fault lasted. Asked about before all others, up to the limit. */
  readonly duringFault: ReadonlySet<string>;
}

/** All rows of up to `limit`; of more a random choice, suspects first. */
export function chooseRows(
  rows: readonly Registration[],
  { reservedOrPlanted, duringFault }: Suspects,
  random: Random,
  limit = maxEmails,
): Registration[] {
  const always = rows.filter(({ email }) => reservedOrPlanted.has(email));
  const others = random.shuffle(rows.filter(({ email }) => !reservedOrPlanted.has(email)));
  const ofFault = others.filter(({ email }) => duringFault.has(email));
  const rest = others.filter(({ email }) => !duringFault.has(email));
  return [...always, ...ofFault, ...rest].slice(0, Math.max(limit, always.length));
}

/**
 * Asks the replicas about each row, a few at a time. A request that gets no response has status 0; rejects when there is
 * no replica.
 */
export async function askAboutRows(
  rows: readonly Registration[],
  replicas: readonly Target[],
): Promise<StoredEmail[]> {
  if (replicas.length === 0) throw new Error('no replica is running');
  const found: StoredEmail[] = [];
  const queue = rows.values();
  const askInTurn = async (replica: Target): Promise<void> => {
    for (const row of queue) found.push(await askAbout(row, replica));
  };
  const workers = replicas.flatMap((replica) =>
    Array.from({ length: concurrency / replicas.length }, () => askInTurn(replica)),
  );
  await Promise.all(workers);
  return found;
}

async function askAbout(row: Registration, { url }: Target): Promise<StoredEmail> {
  const { email } = row;
  const users = `${url}/api/users`;
  const equal = await ask(users, timeoutMs, row);
  const different = await ask(users, timeoutMs, { ...row, occupation: `not ${row.occupation}` });
  const status = await ask(`${users}/${encodeURIComponent(email)}/status`, timeoutMs);
  return { email, posts: [equal, different], status };
}
