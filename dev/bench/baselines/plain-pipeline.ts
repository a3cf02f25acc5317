import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { parseRegistration, type Registration } from '../../../src/domain/registration';
import { accepted, columns, config, find, locationOf, notFound, pool, upsert } from './common';
import { createExpressApp } from './express-app';

// The plain way to build the pipeline: each request is written to Redis and sent to Kafka by itself, each record is
// written by itself.
const redis = new Redis(config.redis.url);
const { brokers, clientId, groupId, topic, partitions } = config.kafka;
const kafka = new Kafka({ brokers: [...brokers], clientId, logLevel: logLevel.ERROR });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId });

async function start(): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
  await producer.connect();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const registration = JSON.parse(message.value?.toString() ?? '') as Registration;
      const { rows } = await pool.query<object>(upsert, columns(registration));
      await redis.setex(`user:completed:${registration.email}`, 86_400, JSON.stringify(rows[0]));
      await redis.del(`user:pending:${registration.email}`);
    },
  });

  const app = createExpressApp();
  app.post('/api/users', async (req, res) => {
    const registration = parseRegistration(req.body);
    const value = JSON.stringify(registration);
    await redis.setex(`user:pending:${registration.email}`, 3600, value);
    await producer.send({ topic, acks: -1, messages: [{ key: registration.email, value }] });
    res.status(201).location(locationOf(registration.email)).json(accepted(registration.email));
  });
  app.get('/api/users/:email', async (req, res) => {
    const { email } = req.params;
    const cached = await redis.get(`user:completed:${email}`);
    const user = cached === null ? await find(email) : (JSON.parse(cached) as object);
    if (user === undefined) res.status(404).json(notFound);
    else res.json({ success: true, data: user });
  });
  app.listen(config.http.port);
}

void start();
