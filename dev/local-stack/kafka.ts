import { type KafkaNodeOptions, prepareKafkaNode } from './kafka-node';
import type { KafkaPlace } from './kafka-properties';
import { LocalServer } from './local-server';

/** What a single Kafka node is started with. */
export interface KafkaOptions extends KafkaNodeOptions {
  /** Of a proxy on 127.0.0.1: clients are sent there, while the node listens on its own port. */
  readonly advertisedPort?: number;
  readonly saslSsl?: KafkaPlace['saslSsl'];
}

/** Starts one Kafka node that is broker and controller; ready means its own port, whether a proxy runs or not. */
export async function startKafka({
  advertisedPort,
  saslSsl,
  ...options
}: KafkaOptions): Promise<LocalServer> {
  const place = {
    id: 1,
    ...(advertisedPort !== undefined && { advertisedPort }),
    ...(saslSsl && { saslSsl }),
  };
  return LocalServer.start(await prepareKafkaNode('kafka', place, options));
}
