import { UnsuitableServerError } from '../domain/errors';
import type { DependencyName } from '../services/dependency-monitor';

// The drivers tell it by code, by name or only by text; kafkajs wraps its errors in others.
const HOST_NAME = /ALTNAME_INVALID|does not match certificate's altnames/i;
const AUTHORITY = /self[- ]signed|UNABLE_TO_|unable to (get|verify)|CERT_/i;
const PASSWORD = /\b(28P01|28000|WRONGPASS|NOAUTH)\b|SASLAuthentication|password authentication failed/i;

type Hints = readonly (readonly [RegExp, string])[];

const POSTGRES: Hints = [
  [HOST_NAME, 'DB_HOST must be a name that the server’s certificate holds'],
  [AUTHORITY, 'DB_SSL_CA_FILE must name the certificate of the authority that signed the server’s'],
  [PASSWORD, 'the server rejects DB_USER with DB_PASSWORD'],
  [/max_client_conn/, 'PgBouncer has no connection left: raise its max_client_conn'],
];

// What Redis says when it responds but cannot do the work, or what responds in its place.
const REDIS: Hints = [
  [HOST_NAME, 'REDIS_URL must hold a host name that the server’s certificate holds'],
  [AUTHORITY, 'NODE_EXTRA_CA_CERTS must name the certificate of the authority that signed the server’s'],
  [PASSWORD, 'the server rejects the user and password in REDIS_URL'],
  [
    /\bNOPERM\b|script can't|ACL failure/,
    'the user in REDIS_URL must be allowed user:*, idempotency:* and rate-limit:*, to read, write, run scripts and select the database',
  ],
  [/\bOOM\b/, 'Redis is full: raise its maxmemory, or look for what else is stored there'],
  [/\bREADONLY\b|\bMASTERDOWN\b/, 'REDIS_URL must lead to the primary: this is a read-only replica'],
  [/\bNOREPLICAS\b/, 'Redis has fewer replicas than its min-replicas-to-write and rejects writes'],
  [/\bMISCONF\b/, 'Redis cannot save its data and rejects writes: see its log and its disk'],
  [/\bLOADING\b/, 'Redis is loading its data and serves again when that is done'],
  [/\bBUSY\b/, 'another program’s script blocks Redis: SCRIPT KILL ends it'],
  [/cluster support disabled/, 'set REDIS_CLUSTER=false: REDIS_URL leads to a Redis that is no cluster'],
  [
    /\bCLUSTERDOWN\b|Too many Cluster redirections/,
    'the Redis cluster does not serve all slots: see CLUSTER INFO there',
  ],
  [/\b(MOVED|ASK)\b|cluster mode/, 'set REDIS_CLUSTER=true: REDIS_URL leads to a node of a cluster'],
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

// By the type of Kafka's error (https://kafka.apache.org/protocol#protocol_error_codes) or the name of kafkajs'.
const KAFKA: Hints = [
  [
    /TOPIC_AUTHORIZATION/,
    'the Kafka user needs Describe, Read and Write on KAFKA_TOPIC and its .dlq, or Create',
  ],
  [/GROUP_AUTHORIZATION|GroupCoordinatorNotFound/, 'the Kafka user needs Read on the group KAFKA_GROUP_ID'],
  [
    /CLUSTER_AUTHORIZATION/,
    'the Kafka user needs Create on the cluster, unless both topics are created by hand',
  ],
  [
    /INVALID_TIMESTAMP/,
    'set the clock here or on the broker, or message.timestamp.type=LogAppendTime on KAFKA_TOPIC',
  ],
  [/INVALID_TOPIC/, 'KAFKA_TOPIC must be a name that Kafka allows, unlike others in more than . and _'],
  [
    /POLICY_VIOLATION|INVALID_CONFIG/,
    'create both topics by hand (README, Kafka Topics): the cluster forbids theirs',
  ],
  [/INVALID_REPLICATION_FACTOR/, 'KAFKA_REPLICATION_FACTOR must not be more than there are brokers'],
  [/INVALID_PARTITIONS/, 'KAFKA_PARTITIONS must be a number that the cluster allows'],
  [/NOT_ENOUGH_REPLICAS/, 'bring brokers back: fewer replicas are in sync than min.insync.replicas'],
  [/KAFKA_STORAGE_ERROR/, 'a broker cannot write to its disk: see its log'],
  [/INVALID_SESSION_TIMEOUT/, 'the brokers’ group.min.session.timeout.ms and group.max… must allow 8000'],
  [/GROUP_MAX_SIZE_REACHED/, 'the brokers’ group.max.size is less than there are processes'],
  [/INCONSISTENT_GROUP_PROTOCOL/, 'KAFKA_GROUP_ID is the group of another program'],
  [/SASL_MECHANISM|SASL_STATE/, 'the brokers’ listener must have the mechanism KAFKA_SASL_MECHANISM'],
  [/UNSUPPORTED_VERSION|DoesNotSupportApiKey/, 'Kafka must be version 3.9 or newer'],
  [
    /cannot be decoded|COMPRESSION_TYPE|CORRUPT_MESSAGE|ERR_OUT_OF_RANGE/,
    'records on KAFKA_TOPIC are damaged, from registration_consumer_offset of the partition that has lag',
  ],
  [HOST_NAME, 'KAFKA_BROKERS must hold names that the brokers’ certificates hold'],
  [AUTHORITY, 'KAFKA_SSL_CA_FILE must name the certificate of the authority that signed the brokers’'],
  [PASSWORD, 'the brokers reject KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD by KAFKA_SASL_MECHANISM'],
];

// The first one that fits.
const HINTS: Readonly<Record<DependencyName, Hints>> = { postgres: POSTGRES, redis: REDIS, kafka: KAFKA };

/** What to do about a server that cannot be reached or used, when waiting will not help: one sentence, without a value. */
export function hintFor(dependency: DependencyName, error: unknown): string | undefined {
  if (error instanceof UnsuitableServerError) return error.message;
  const text = describe(error);
  return HINTS[dependency].find(([pattern]) => pattern.test(text))?.[1];
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code, type, errors = [] } = error as { code?: unknown; type?: unknown; errors?: unknown[] };
  return [error.name, code, type, error.message, ...[error.cause, ...errors].map(describe)].join(' ');
}
