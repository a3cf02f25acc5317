import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/config';
import { Manifests, selects, type PodTemplate } from './manifests';
import type { Policy } from './policy';

interface ComposeServer {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string | number>>;
}

const compose = parse(readFileSync('docker-compose.yml', 'utf8')) as {
  readonly services: Readonly<Record<string, ComposeServer>>;
};
// In a pod the controller is reached by localhost, and nothing comes from outside of the cluster.
const ownKafkaSettings = /LISTENERS$|LISTENER_SECURITY_PROTOCOL_MAP|CONTROLLER_QUORUM_VOTERS|KAFKA_HEAP_OPTS/;

const policies: readonly Policy[] = [
  {
    rule: 'it needs nothing but Kubernetes itself: no operator, no load balancer, no secret',
    check: ({ objects }) =>
      objects
        .map(({ kind }) => kind)
        .filter(
          (kind) =>
            !['Namespace', 'ServiceAccount', 'ConfigMap', 'Service', 'Deployment', 'StatefulSet'].includes(
              kind,
            ),
        ),
    plant: ({ objects }) =>
      objects.push({
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        metadata: { name: 'any' },
      }),
  },
  {
    rule: 'it makes its own namespace, first of all, for pods without rights',
    check: ({ objects: [namespace, ...others] }) => [
      ...(namespace?.kind === 'Namespace' &&
      namespace.metadata.labels?.['pod-security.kubernetes.io/enforce'] === 'restricted'
        ? []
        : ['no restricted namespace']),
      ...others
        .filter(({ metadata }) => metadata.namespace !== namespace?.metadata.name)
        .map(({ metadata }) => metadata.name),
    ],
    plant: ({ objects }) => objects.reverse(),
  },
  {
    rule: 'every pod is one that such a namespace admits',
    check: (manifests) => templatesOf(manifests).flatMap((template) => rightsOf(template)),
    plant: (manifests) => {
      manifests.one('StatefulSet', 'kafka').spec.template.spec.securityContext['runAsNonRoot'] = false;
    },
  },
  {
    rule: 'the service is the one of the other environments, but for the image, variables, secrets and Prometheus',
    check: (manifests) => {
      const [here, there] = [manifests, Manifests.read('dev')].map((each) => {
        const { spec } = structuredClone(each.one('Deployment'));
        const { containers, volumes } = spec.template.spec;
        const [container] = containers;
        const mounts = container.volumeMounts.filter(({ name }) => name !== 'secrets');
        spec.template.spec.volumes = volumes.filter(({ name }) => name !== 'secrets');
        const ports = container.ports?.filter(({ name }) => name !== 'metrics') ?? [];
        spec.template.spec.containers = [
          { ...container, image: '', envFrom: [], ports, volumeMounts: mounts },
        ];
        return spec;
      });
      return isDeepStrictEqual(here, there) ? [] : ['another Deployment'];
    },
    plant: ({ container }) => {
      container.args = ['dist/main.js'];
    },
  },
  {
    rule: 'the service accepts its variables, and finds each server by its Service and port',
    check: (manifests) => {
      const { http, postgres, redis, kafka } = loadConfig(manifests.env());
      const redisUrl = new URL(redis.url);
      const asked = [
        `${postgres.host}:${postgres.port}`,
        `${redisUrl.hostname}:${redisUrl.port}`,
        ...kafka.brokers,
      ];
      const offered = manifests.all('StatefulSet').map(({ metadata, spec: { serviceName, template } }) => {
        const { spec } = manifests.one('Service', serviceName);
        const [{ port, targetPort } = { port: 0, targetPort: '' }] = spec.ports;
        const [container] = template.spec.containers;
        const listens = container.ports?.some(
          ({ name, containerPort }) => name === targetPort && containerPort === port,
        );
        return listens && selects(spec.selector, template.metadata.labels)
          ? `${serviceName}:${port}`
          : `${metadata.name} is not behind its Service`;
      });
      return [
        asked.sort().join() === offered.sort().join() ? '' : `asks ${asked.join()}, has ${offered.join()}`,
        manifests.container.ports?.[0]?.containerPort === http.port ? '' : 'another port of the service',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['KAFKA_BROKERS'] = 'kafka:19092';
    },
  },
  {
    rule: 'each server is the one of docker-compose.yml, with its settings',
    check: (manifests) =>
      manifests.all('StatefulSet').flatMap(({ metadata: { name }, spec }) => {
        const [{ image, env = [] }] = spec.template.spec.containers;
        const own = (settings: (readonly [string, unknown])[]): string =>
          settings
            .filter(([setting]) => !ownKafkaSettings.test(setting))
            .map(([setting, value]) => `${setting}=${String(value)}`)
            .sort()
            .join();
        const server = compose.services[name];
        return [
          image === server?.image ? '' : `${name} is ${image}`,
          own(env.map((each) => [each.name, each.value])) === own(Object.entries(server?.environment ?? {}))
            ? ''
            : `${name} has other settings`,
        ].filter(Boolean);
      }),
    plant: (manifests) => {
      manifests.one('StatefulSet', 'kafka').spec.template.spec.containers[0].env?.shift();
    },
  },
  {
    rule: 'its image is the one that docs/operations.md builds and loads, and no registry is asked for it',
    check: ({ container: { image } }) => {
      const commands = readFileSync('docs/operations.md', 'utf8');
      return [
        `docker build -t ${image} .`,
        `kind load docker-image ${image}`,
        `minikube image load ${image}`,
      ].filter((command) => !commands.includes(command) || image.endsWith(':latest'));
    },
    plant: ({ container }) => {
      container.image = 'user-registration-backend:latest';
    },
  },
];

describe.each(policies)('k8s/overlays/local: $rule', ({ check, plant }) => {
  const manifests = Manifests.read('local');

  it('holds', () => {
    expect(check(manifests)).toEqual([]);
  });

  it('or the check fails', () => {
    const broken = manifests.copy();
    plant(broken);
    expect(check(broken)).not.toEqual([]);
  });
});

function templatesOf(manifests: Manifests): PodTemplate[] {
  return [...manifests.all('Deployment'), ...manifests.all('StatefulSet')].map(({ spec }) => spec.template);
}

function rightsOf({ spec: { containers, securityContext, ...spec } }: PodTemplate): string[] {
  const [{ securityContext: own, resources }] = containers;
  return [
    containers.slice(1).length === 0 ? '' : 'a container that nobody looked at',
    spec.automountServiceAccountToken === false && spec.enableServiceLinks === false
      ? ''
      : 'a token or links',
    securityContext['runAsNonRoot'] === true && Number(securityContext['runAsUser']) > 0 ? '' : 'may be root',
    JSON.stringify(securityContext['seccompProfile']) === '{"type":"RuntimeDefault"}' ? '' : 'no seccomp',
    JSON.stringify(own['capabilities']) === '{"drop":["ALL"]}' ? '' : 'capabilities',
    own['allowPrivilegeEscalation'] === false ? '' : 'may gain privileges',
    resources.limits['memory'] === resources.requests['memory'] ? '' : 'memory may be evicted',
  ].filter(Boolean);
}
