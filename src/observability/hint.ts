import { UnsuitableServerError } from '../domain/errors';
import type { DependencyName } from '../services/dependency-monitor';

type FailureKind = 'authority' | 'host name' | 'password' | 'rights' | 'memory' | 'replica' | 'disk';

// The drivers tell it by code, by name or only by text; kafkajs wraps its errors in others.
const ERROR_PATTERNS: readonly (readonly [FailureKind, RegExp])[] = [
  ['host name', /ALTNAME_INVALID|does not match certificate's altnames/i],
  ['authority', /self[- ]signed|UNABLE_TO_|unable to (get|verify)|CERT_/i],
  ['password', /\b(28P01|28000|WRONGPASS|NOAUTH)\b|SASLAuthentication|password authentication failed/i],
  // Redis, which responds but rejects commands.
  ['rights', /\bNOPERM\b/],
  ['memory', /\bOOM\b/],
  ['replica', /\bREADONLY\b/],
  ['disk', /\bMISCONF\b/],
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
    rights:
      'the user in REDIS_URL must be allowed user:*, idempotency:* and rate-limit:*, to read, write and run scripts',
    memory: 'Redis is full: raise its maxmemory, or look for what else is stored there',
    replica: 'REDIS_URL must lead to the primary: this is a read-only replica',
    disk: 'Redis cannot save its data and rejects writes: see its log and its disk',
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
  return kind && HINTS[dependency][kind];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code = 'code' in error ? String(error.code) : '';
  return `${error.name} ${code} ${error.message} ${describe(error.cause)}`;
}
