import type { StoredDeadLetter } from '../../src/tools/dead-letter';
import { buildRecord } from './builders';

/** A dead letter as Kafka stores it; `value` may be anything. */
export function buildDeadLetter(
  overrides: Parameters<typeof buildRecord>[0] & { writtenAt?: string; reason?: string } = {},
): StoredDeadLetter {
  const { writtenAt = '2026-01-02T03:04:05.678Z', reason = 'conflict', ...record } = overrides;
  const { headers, ...others } = buildRecord({ topic: 'user-registration.dlq', ...record });
  return {
    ...others,
    writtenAt,
    headers: {
      ...headers,
      'dead-letter-reason': Buffer.from(reason),
      'dead-letter-error': Buffer.from('another registration of this email came first'),
      'source-topic': Buffer.from('user-registration'),
      'source-partition': Buffer.from('2'),
      'source-offset': Buffer.from('41'),
    },
  };
}
