import { ConfigResourceTypes, ConfigSource } from '../../src/kafka/kafkajs';
import { alterTopic, withAdmin } from '../../tests/support/kafka-tools';
import type { Env } from '../../tests/support/test-servers';
import { inspected, topic } from './inspect';

/** Changes settings of the service's topic. Resolves to what undoes it. */
export async function changeTopic(
  env: Env,
  settings: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const before = await ownSettings(env);
  // Kafka replaces all of them: what is not named falls back to the broker's default.
  await alterTopic(inspected(env), { ...before, ...settings });
  return () => alterTopic(inspected(env), before);
}

async function ownSettings(env: Env): Promise<Record<string, string>> {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }];
  const described = await withAdmin(env, (admin) =>
    admin.describeConfigs({ includeSynonyms: false, resources }),
  );
  const own = described.resources
    .flatMap(({ configEntries }) => configEntries)
    .filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG);
  return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
}
