import { Kafka, logLevel } from 'kafkajs';
import type { Contender } from '../contender';
import { sampleRegistration } from '../sample-registration';

// About what the service sends at once under load: a fetch brings at least one such batch.
const batch = 300;
let series = 0;

/** How fast a consumer writes a backlog. For pipelines. */
export async function measureDrain(contender: Contender, records: number): Promise<Record<string, number>> {
  const rows = await gather(contender, records);
  const startedAt = performance.now();
  await contender.untilStored(rows);
  return { 'drain, rows/s': records / ((performance.now() - startedAt) / 1000) };
}

/** Produces a backlog while the consumer is stopped; resolves to the number of rows that there will be. */
export async function gather(contender: Contender, records: number): Promise<number> {
  const rows = await contender.countRows();
  contender.freeze();
  try {
    await produce(contender, records);
  } finally {
    contender.thaw();
  }
  return rows + records;
}

async function produce({ env }: Contender, records: number): Promise<void> {
  const topic = env['KAFKA_TOPIC'] ?? '';
  const kafka = new Kafka({ brokers: [env['KAFKA_BROKERS'] ?? ''], logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  await producer.connect();
  const prefix = `drain-${(series += 1)}`;
  for (let sent = 0; sent < records; sent += batch) {
    const messages = Array.from({ length: Math.min(batch, records - sent) }, (_, index) =>
      recordOf(`${prefix}-${sent + index}@example.com`),
    );
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

function recordOf(email: string): { key: string; value: string } {
  return { key: email, value: JSON.stringify(sampleRegistration(email)) };
}
