import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, productionWarnings, type Config } from '../../src/config/config';
import { envSchema, SECRETS } from '../../src/config/env-schema';
import type { Manifests } from './manifests';
import type { Policy } from './policy';

const secretsPath = '/run/secrets/user-registration';
const known = new Set([
  ...Object.keys((envSchema.describe() as { keys: object }).keys),
  ...SECRETS.map((name) => `${name}_FILE`),
]);

/** `max_connections` of each environment's database, which is this service's alone. docs/operations.md, "Sizing", says the same. */
export const connectionBudget: Readonly<Record<string, number>> = { dev: 150, staging: 150, prod: 450 };

/** What the variables mean to the service itself, with secrets of the right form. */
export function configOf(manifests: Manifests, env = manifests.env()): Config {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  const values: Record<string, string> = {
    API_KEYS: `crm:${'c0'.repeat(32)}`,
    ADMIN_API_KEYS: `dpo:${'d0'.repeat(32)}`,
    REDIS_URL: 'rediss://:token@redis.example.com:6379',
  };
  const names = manifests.all('ExternalSecret').flatMap(({ spec }) => Object.keys(spec.target.template.data));
  for (const name of names) writeFileSync(join(folder, name), values[name] ?? 'secret');
  try {
    return loadConfig(
      Object.fromEntries(
        Object.entries(env).map(([key, value]) => [key, value.replace(secretsPath, folder)]),
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Connections while a rollout is at its peak: every new pod and every old one, because Kubernetes does not count those
 * that are stopping as a surge. Each process checks PostgreSQL's health on one connection of its own.
 */
export function connectionsAtPeak(manifests: Manifests): number {
  const { maxReplicas } = manifests.one('HorizontalPodAutoscaler').spec;
  return 2 * maxReplicas * (configOf(manifests).postgres.poolMax + 1);
}

/** The service's settings in each environment. */
export const environmentPolicies: readonly Policy[] = [
  {
    rule: 'every variable is one that the service knows, with a value that it accepts',
    check: (manifests) => {
      const job = manifests.one('Job').spec.template.spec.containers[0];
      const envs = [manifests.env(), manifests.env(job)];
      const unknown = envs.flatMap((env) => Object.keys(env)).filter((name) => !known.has(name));
      const refused = envs.flatMap((env) => {
        try {
          configOf(manifests, env);
          return [];
        } catch (error) {
          return [String(error)];
        }
      });
      return [...unknown.map((name) => `${name} is no variable of the service`), ...refused];
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['DB_POOL_SIZE'] = '20';
    },
  },
  {
    rule: 'each environment is run as production: verified TLS, behind one proxy, migrated by the Job, reads by key',
    check: (manifests) => {
      const config = configOf(manifests);
      return [
        ...productionWarnings(config),
        config.env === 'production' ? '' : 'NODE_ENV is not production',
        config.http.trustedProxyHops === 1 ? '' : 'the load balancer is the one proxy',
        config.postgres.migrateOnStart ? 'pods would migrate' : '',
        config.http.apiKeys.length > 0 ? '' : 'reads are open',
        config.postgres.ssl === false ? 'PostgreSQL without TLS' : '',
        config.redis.url.startsWith('rediss:') ? '' : 'Redis without TLS',
        config.kafka.ssl === false || config.kafka.sasl === undefined ? 'Kafka without TLS or SASL' : '',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['TRUST_PROXY'] = '2';
    },
  },
  {
    rule: 'production keeps three copies of each record',
    check: (manifests) => {
      const { replicationFactor } = configOf(manifests).kafka;
      return manifests.environment === 'prod' && replicationFactor !== 3
        ? [`${replicationFactor} copies`]
        : [];
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['KAFKA_REPLICATION_FACTOR'] = '1';
    },
    only: 'prod',
  },
  {
    rule: 'there is a partition for each replica',
    check: (manifests) => {
      const { maxReplicas } = manifests.one('HorizontalPodAutoscaler').spec;
      const { partitions } = configOf(manifests).kafka;
      return maxReplicas > partitions ? [`${maxReplicas} replicas, ${partitions} partitions`] : [];
    },
    plant: (manifests) => {
      manifests.one('HorizontalPodAutoscaler').spec.maxReplicas = 100;
    },
  },
  {
    rule: 'the database allows the connections of a rollout at its peak',
    check: (manifests) => {
      const budget = connectionBudget[manifests.environment] ?? 0;
      const needed = connectionsAtPeak(manifests);
      return needed > budget ? [`${needed} connections, ${budget} allowed`] : [];
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['DB_POOL_MAX'] = '400';
    },
  },
  {
    rule: 'every mounted secret comes from an ExternalSecret of this environment, and every file in it is used',
    check: (manifests) => {
      const workloads = [manifests.one('Deployment'), manifests.one('Job')];
      return workloads.flatMap(({ spec }) => {
        const pod = spec.template.spec;
        const name = pod.volumes.flatMap(({ secret }) => secret?.secretName ?? [])[0] ?? '';
        const { dataFrom, secretStoreRef, target } = manifests.one('ExternalSecret', name).spec;
        const offered = Object.keys(target.template.data).sort().join(' ');
        const used = Object.values(manifests.env(pod.containers[0]))
          .filter((value) => value.startsWith(`${secretsPath}/`))
          .map((value) => value.slice(secretsPath.length + 1));
        return [
          offered === used.sort().join(' ') ? '' : `${name}: offers ${offered}, used are ${used.join(' ')}`,
          secretStoreRef.kind === 'ClusterSecretStore' ? '' : `${name}: the store is the cluster's`,
          dataFrom[0]?.extract.key.endsWith(`/${manifests.environment}`)
            ? ''
            : `${name}: of another environment`,
        ].filter(Boolean);
      });
    },
    plant: (manifests) => {
      const [secret] = manifests.all('ExternalSecret');
      if (secret) secret.spec.target.template.data['UNUSED'] = '{{ .UNUSED }}';
    },
  },
  {
    rule: 'no secret is in git',
    check: (manifests) => {
      const secrets = manifests.objects
        .filter(({ kind }) => kind === 'Secret')
        .map(({ metadata }) => metadata.name);
      const given = manifests.all('ConfigMap').flatMap(({ data }) => SECRETS.filter((name) => name in data));
      return [...secrets, ...given];
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['DB_PASSWORD'] = 'secret';
    },
  },
];
