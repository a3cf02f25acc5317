import { UnsuitableServerError } from '../domain/errors';
import type { DependencyName } from '../services/dependency-monitor';

type FailureKind = 'authority' | 'host name' | 'password';

// The drivers tell it by code, by name or only by text; kafkajs wraps its errors in others.
const ERROR_PATTERNS: readonly (readonly [FailureKind, RegExp])[] = [
  ['host name', /ALTNAME_INVALID|does not match certificate's altnames/i],
  ['authority', /self[- ]signed|UNABLE_TO_|unable to (get|verify)|CERT_/i],
  ['password', /\b(28P01|28000|WRONGPASS|NOAUTH)\b|SASLAuthentication|password authentication failed/i],
];

// What Redis says when it responds but cannot do the work, or what responds in its place.
const REDIS_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /\bNOPERM\b|script can't/,
    'the user in REDIS_URL must be allowed user:*, idempotency:* and rate-limit:*, to read, write, run scripts and select the database',
  ],
  [/\bOOM\b/, 'Redis is full: raise its maxmemory, or look for what else is stored there'],
  [/\bREADONLY\b|\bMASTERDOWN\b/, 'REDIS_URL must lead to the primary: this is a read-only replica'],
  [/\bNOREPLICAS\b/, 'Redis has fewer replicas than its min-replicas-to-write and rejects writes'],
  [/\bMISCONF\b/, 'Redis cannot save its data and rejects writes: see its log and its disk'],
  [/\bLOADING\b/, 'Redis is loading its data and serves again when that is done'],
  [/\bBUSY\b/, 'another program’s script blocks Redis: SCRIPT KILL ends it'],
  [/\b(MOVED|ASK|CLUSTERDOWN)\b|cluster mode/, 'REDIS_URL must lead to a Redis that is no cluster'],
  [/\bDENIED\b/, 'Redis is in protected mode: set a password there, or its bind and protected-mode'],
  [/max number of clients/, 'Redis has no connection left: raise its maxclients'],
  [/DB index/, 'REDIS_URL names a database that the server does not have: see its databases'],
  [/ERR syntax error/, 'Redis must be version 7 or newer: this one has no SET with NX and GET'],
  [/un(known|supported) (redis )?command/i, 'REDIS_URL must lead to Redis 7 itself: no Sentinel, no proxy'],
  [
    /closed during the handshake|RESP type 21\b/,
    'REDIS_URL must begin with rediss:// if its port has TLS; if not, see maxclients and protected-mode of Redis',
  ],
  [/RESP type/, 'REDIS_URL must lead to Redis: something else responds there'],
  [/wrong.version.number|packet.length.too.long/i, 'REDIS_URL must begin with redis://: its port has no TLS'],
];

const HINTS: Readonly<Record<DependencyName, Readonly<Partial<Record<FailureKind, string>>>>> = {
  postgres: {
    authority: 'DB_SSL_CA_FILE must name the certificate of the authority that signed the server’s',
    'host name': 'DB_HOST must be a name that the server’s certificate holds',
    password: 'the server rejects DB_USER with DB_PASSWORD',
  },
  redis: {
    authority: 'NODE_EXTRA_CA_CERTS must name the certificate of the authority that signed the server’s',
    'host name': 'REDIS_URL must hold a host name that the server’s certificate holds',
    password: 'the server rejects the user and password in REDIS_URL',
  },
  kafka: {
    authority: 'KAFKA_SSL_CA_FILE must name the certificate of the authority that signed the brokers’',
    'host name': 'KAFKA_BROKERS must hold names that the brokers’ certificates hold',
    password: 'the brokers reject KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD by KAFKA_SASL_MECHANISM',
  },
};

/** What to do about a server that cannot be reached or used, when waiting will not help: one sentence, without a value. */
export function hintFor(dependency: DependencyName, error: unknown): string | undefined {
  if (error instanceof UnsuitableServerError) return error.message;
  const text = describe(error);
  const [kind] = ERROR_PATTERNS.find(([, pattern]) => pattern.test(text)) ?? [];
  if (kind !== undefined) return HINTS[dependency][kind];
  return dependency === 'redis' ? REDIS_HINTS.find(([pattern]) => pattern.test(text))?.[1] : undefined;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = 'code' in error ? String(error.code) : '';
  return `${error.name} ${code} ${error.message} ${describe(error.cause)}`;
}
