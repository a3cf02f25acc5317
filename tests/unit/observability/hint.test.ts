import { KafkaJSNonRetriableError, KafkaJSProtocolError } from 'kafkajs';
import { hintFor } from '../../../src/observability/hint';

const withCode = (code: string): Error => Object.assign(new Error('no'), { code });

describe('hintFor', () => {
  it.each(['ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', '57P03'])(
    'knows none for %s: waiting may help',
    (code) => {
      expect(hintFor('postgres', withCode(code))).toBeUndefined();
    },
  );

  it('looks at its causes, too', () => {
    const error = new Error('unavailable', { cause: new Error('again', { cause: withCode('28P01') }) });

    expect(hintFor('postgres', error)).toBe('the server rejects DB_USER with DB_PASSWORD');
  });

  it('tells a pooler that has no connection left', () => {
    const cause = Object.assign(new Error('no more connections allowed (max_client_conn)'), {
      code: '08P01',
    });
    const error = new Error('PostgreSQL is unavailable', { cause });

    expect(hintFor('postgres', error)).toMatch(/max_client_conn/);
  });

  it('tells a port of Redis that has no TLS', () => {
    expect(hintFor('redis', withCode('ERR_SSL_WRONG_VERSION_NUMBER'))).toMatch(/redis:/);
    expect(hintFor('postgres', withCode('ERR_SSL_WRONG_VERSION_NUMBER'))).toBeUndefined();
  });

  /** As kafkajs throws what a broker responds. */
  const protocolError = (type: string): Error =>
    new KafkaJSProtocolError(Object.assign(new Error('a sentence'), { type, code: 1, retriable: false }));

  it.each([
    ['TOPIC_AUTHORIZATION_FAILED', /Describe, Read and Write/],
    ['GROUP_AUTHORIZATION_FAILED', /KAFKA_GROUP_ID/],
    ['CLUSTER_AUTHORIZATION_FAILED', /Create/],
    ['INVALID_TIMESTAMP', /clock/],
    ['INVALID_TOPIC_EXCEPTION', /KAFKA_TOPIC/],
    ['INVALID_REPLICATION_FACTOR', /KAFKA_REPLICATION_FACTOR/],
    ['INVALID_PARTITIONS', /KAFKA_PARTITIONS/],
    ['POLICY_VIOLATION', /by hand/],
    ['INVALID_CONFIG', /by hand/],
    ['NOT_ENOUGH_REPLICAS', /min\.insync\.replicas/],
    ['KAFKA_STORAGE_ERROR', /disk/],
    ['INVALID_SESSION_TIMEOUT', /8000/],
    ['GROUP_MAX_SIZE_REACHED', /group\.max\.size/],
    ['INCONSISTENT_GROUP_PROTOCOL', /another program/],
    ['UNSUPPORTED_SASL_MECHANISM', /KAFKA_SASL_MECHANISM/],
    ['UNSUPPORTED_VERSION', /newer/],
    ['UNSUPPORTED_COMPRESSION_TYPE', /damaged/],
  ])('knows one for a Kafka that responds with %s', (type, hint) => {
    const error = new Error('Kafka did not confirm', { cause: protocolError(type) });

    expect(hintFor('kafka', error)).toMatch(hint);
    expect(hintFor('redis', error)).toBeUndefined();
  });

  it('knows one for a topic that Kafka does not create', () => {
    const errors = [protocolError('POLICY_VIOLATION')];
    const error = Object.assign(new Error('Topic creation errors'), { errors });

    expect(hintFor('kafka', error)).toMatch(/by hand/);
  });

  it('knows one for records that cannot be decoded', () => {
    expect(hintFor('kafka', new KafkaJSNonRetriableError('a batch of records cannot be decoded'))).toMatch(
      /damaged/,
    );
  });

  it('knows none for a Kafka that elects a leader', () => {
    expect(hintFor('kafka', protocolError('LEADER_NOT_AVAILABLE'))).toBeUndefined();
  });

  it.each([
    ["NOPERM User service has no permissions to run the 'set' command script: 1", /user:\*/],
    // Within a script Valkey 9 gives another code.
    ["ERR ACL failure in script: User service has no permissions to run the 'hset' command", /user:\*/],
    ["OOM command not allowed when used memory > 'maxmemory'. script: 1", /maxmemory/],
    ["READONLY You can't write against a read only replica. script: 1", /primary/],
    ['MISCONF Redis is configured to save RDB snapshots', /save/],
  ])('knows one for a Redis that rejects commands: %s', (message, hint) => {
    expect(hintFor('redis', new Error(message))).toMatch(hint);
    expect(hintFor('postgres', new Error(message))).toBeUndefined();
  });
});
