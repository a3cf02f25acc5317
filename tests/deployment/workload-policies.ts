import { readFileSync } from 'node:fs';
import { optionsOf, productionOptions } from '../../dev/production-options';
import { selects, type Container, type Labels, type Manifests, type PodTemplate } from './manifests';
import type { Policy } from './policy';

const heapShare = 0.75;
/** V8's young generation is as large as this many semi-spaces. */
const semiSpaces = 3;
const spareSeconds = 10;

/** How the pods run, and that the objects fit together. */
export const workloadPolicies: readonly Policy[] = [
  {
    rule: 'no pod has rights: the restricted Pod Security Standard, a read-only file system, no token',
    check: (manifests) => templates(manifests).flatMap((template) => rightsOf(template)),
    plant: (manifests) => {
      manifests.container.securityContext['readOnlyRootFilesystem'] = false;
    },
  },
  {
    rule: 'memory is reserved and limited, CPU only reserved; the heap leaves room below the limit',
    check: (manifests) => {
      const { args, resources } = manifests.container;
      const old = Number(/--max-old-space-size=(\d+)/.exec(args.join(' '))?.[1]);
      const semiSpace = Number(/--max-semi-space-size=(\d+)/.exec(readFileSync('Dockerfile', 'utf8'))?.[1]);
      const heap = old + semiSpaces * semiSpace;
      // V8 takes at most half of the largest size.
      const initial = Number(/--initial-old-space-size=(\d+)/.exec(args.join(' '))?.[1]);
      const limit = parseInt(resources.limits['memory'] ?? '', 10);
      return [
        resources.limits['memory'] === resources.requests['memory'] ? '' : 'memory may be evicted',
        resources.limits['cpu'] === undefined ? '' : 'a CPU limit throttles',
        initial <= old / 2 ? '' : `${initial} MB of the old generation at the start, ${old} at most`,
        heap <= limit * heapShare ? '' : `a heap of ${heap} MB in ${limit} MB`,
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.container.resources.limits['memory'] = '384Mi';
    },
  },
  {
    rule: "the pods' node has the options of `npm start`, whether from the image or from the arguments",
    check: ({ container: { args } }) => {
      const ofImage =
        /NODE_OPTIONS="([^"]*)"/.exec(readFileSync('Dockerfile', 'utf8'))?.[1]?.split(' ') ?? [];
      return productionOptions
        .filter((option) => ![...ofImage, ...optionsOf(args)].includes(option))
        .map((option) => `no ${option}`);
    },
    plant: ({ container }) => {
      container.args.reverse();
    },
  },
  {
    rule: 'a rollout never takes a pod away before its successor is ready, and the autoscaler owns the number',
    check: (manifests) => {
      const { spec } = manifests.one('Deployment');
      return [
        spec.replicas === undefined ? '' : 'replicas is in git',
        spec.strategy.rollingUpdate.maxUnavailable === 0 ? '' : 'maxUnavailable is not 0',
        spec.minReadySeconds > 0 && spec.revisionHistoryLimit > 0 && spec.progressDeadlineSeconds > 0
          ? ''
          : 'minReadySeconds, revisionHistoryLimit or progressDeadlineSeconds is missing',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.one('Deployment').spec.replicas = 3;
    },
  },
  {
    rule: 'pods are spread over zones and nodes, each version by itself',
    check: (manifests) => {
      const { topologySpreadConstraints: constraints } = manifests.one('Deployment').spec.template.spec;
      return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].filter(
        (key) =>
          !constraints.some(
            ({ topologyKey, matchLabelKeys }) =>
              topologyKey === key && matchLabelKeys.includes('pod-template-hash'),
          ),
      );
    },
    plant: (manifests) => {
      manifests.one('Deployment').spec.template.spec.topologySpreadConstraints.pop();
    },
  },
  {
    rule: 'liveness asks for the process alone, readiness for the start; nothing probes the dependencies',
    check: (manifests) => {
      const { startupProbe, livenessProbe, readinessProbe } = manifests.container;
      const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet.path).join();
      const expected = '/api/health/live,/api/health/live,/api/health/ready';
      return paths === expected ? [] : [paths];
    },
    plant: (manifests) => {
      const { readinessProbe } = manifests.container;
      if (readinessProbe) readinessProbe.httpGet.path = '/api/health';
    },
  },
  {
    rule: 'the grace period covers preStop, the service’s own stop and something to spare',
    check: (manifests) => {
      const preStop = manifests.container.lifecycle?.preStop.sleep.seconds ?? 0;
      const needed = preStop + Number(manifests.env()['SHUTDOWN_TIMEOUT_MS']) / 1000 + spareSeconds;
      const { terminationGracePeriodSeconds: given } = manifests.one('Deployment').spec.template.spec;
      return given >= needed && preStop > 0 ? [] : [`${given} s, ${needed} s needed`];
    },
    plant: (manifests) => {
      manifests.one('Deployment').spec.template.spec.terminationGracePeriodSeconds = 30;
    },
  },
  {
    rule: 'a node can always be drained, and never of all pods',
    check: (manifests) => {
      const { minAvailable, unhealthyPodEvictionPolicy } = manifests.one('PodDisruptionBudget').spec;
      const { minReplicas } = manifests.one('HorizontalPodAutoscaler').spec;
      return [
        minAvailable >= 1 && minAvailable < minReplicas ? '' : `${minAvailable} of at least ${minReplicas}`,
        unhealthyPodEvictionPolicy === 'AlwaysAllow' ? '' : 'a broken pod blocks the drain',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.one('PodDisruptionBudget').spec.minAvailable = 3;
    },
  },
  {
    rule: 'the autoscaler drives the Deployment, with two replicas at least, slowly down',
    check: (manifests) => {
      const { scaleTargetRef, minReplicas, behavior } = manifests.one('HorizontalPodAutoscaler').spec;
      return [
        scaleTargetRef.name === manifests.one('Deployment').metadata.name ? '' : 'another target',
        minReplicas >= 2 ? '' : 'a single replica',
        behavior.scaleDown.stabilizationWindowSeconds > behavior.scaleUp.stabilizationWindowSeconds
          ? ''
          : 'flaps',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.one('HorizontalPodAutoscaler').spec.scaleTargetRef.name = 'other';
    },
  },
  {
    rule: 'selectors choose the service’s pods and not the migration’s',
    check: (manifests) => {
      const service = manifests.one('Deployment').spec;
      const migration = manifests.one('Job').spec.template.metadata.labels;
      const selectors: [string, Labels | undefined][] = [
        ['Deployment', service.selector.matchLabels],
        ['PodDisruptionBudget', manifests.one('PodDisruptionBudget').spec.selector.matchLabels],
        ...manifests.all('Service').map((each): [string, Labels] => ['Service', each.spec.selector]),
        ...service.template.spec.topologySpreadConstraints.map((each): [string, Labels | undefined] => [
          each.topologyKey,
          each.labelSelector.matchLabels,
        ]),
      ];
      return selectors
        .filter(
          ([, labels]) => !selects(labels, service.template.metadata.labels) || selects(labels, migration),
        )
        .map(([owner]) => owner);
    },
    plant: (manifests) => {
      delete manifests.one('PodDisruptionBudget').spec.selector.matchLabels?.['app.kubernetes.io/component'];
    },
  },
  {
    rule: 'ports match from the load balancer to the process',
    check: (manifests) => {
      const ports = new Map(
        manifests.container.ports?.map(({ name, containerPort }) => [name, containerPort]),
      );
      const services = manifests.all('Service').flatMap(({ spec }) => spec.ports);
      const asked = manifests
        .one('Ingress')
        .spec.rules.flatMap(({ http }) => http.paths.map(({ backend }) => backend.service));
      const { startupProbe, livenessProbe, readinessProbe } = manifests.container;
      return [
        ports.get('http') === Number(manifests.env()['PORT']) ? '' : 'the container port is not PORT',
        ...services.map(({ targetPort }) => (ports.has(targetPort) ? '' : `no container port ${targetPort}`)),
        ...[startupProbe, livenessProbe, readinessProbe].map((probe) =>
          ports.has(probe?.httpGet.port ?? '') ? '' : 'a probe asks another port',
        ),
        ...asked.map(({ name, port }) =>
          port.name === 'http' && manifests.all('Service').some(({ metadata }) => metadata.name === name)
            ? ''
            : `the Ingress asks ${name} ${port.name}`,
        ),
      ].filter(Boolean);
    },
    plant: (manifests) => {
      for (const { data } of manifests.all('ConfigMap')) data['PORT'] = '3000';
    },
  },
  {
    rule: 'the load balancer asks pods directly, whether they are ready, and drains them',
    check: (manifests) => {
      const { metadata, spec } = manifests.one('Ingress');
      const setting = (name: string): string =>
        metadata.annotations?.[`alb.ingress.kubernetes.io/${name}`] ?? '';
      return [
        spec.ingressClassName === 'alb' && setting('target-type') === 'ip' ? '' : 'not pods by address',
        setting('healthcheck-path') === '/api/health/ready' ? '' : 'another health check',
        setting('target-group-attributes').includes('deregistration_delay') ? '' : 'no drain',
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.one('Ingress').metadata.annotations = {};
    },
  },
  {
    rule: 'nothing comes in but from named places, and nothing goes out but to DNS, PostgreSQL, Redis, Kafka',
    check: (manifests) => {
      const policies = manifests.all('NetworkPolicy').map(({ spec }) => spec);
      const denied = policies.some(
        ({ podSelector, policyTypes, ingress, egress }) =>
          Object.keys(podSelector).length === 0 && policyTypes.length === 2 && !ingress && !egress,
      );
      const egress = policies.flatMap((policy) => policy.egress ?? []);
      const ingress = policies.flatMap((policy) => policy.ingress ?? []);
      const ports = egress.flatMap((each) => each.ports?.map(({ port }) => port) ?? [0]);
      return [
        denied ? '' : 'no default deny',
        ...ingress.map(({ from, ports: open }) =>
          from?.length && open?.length ? '' : 'ingress from anywhere',
        ),
        JSON.stringify(policies).includes('0.0.0.0/0') ? 'the whole internet' : '',
        ...egress.map(({ to }) => (to?.length ? '' : 'egress to anywhere')),
        ...ports.map((port) => ([53, 5432, 6379, 9096].includes(port) ? '' : `egress to port ${port}`)),
      ].filter(Boolean);
    },
    plant: (manifests) => {
      manifests.all('NetworkPolicy')[1]?.spec.egress?.push({});
    },
  },
  {
    rule: 'the migration runs before each sync and needs only what is there before it',
    check: (manifests) => migrationProblems(manifests),
    plant: (manifests) => {
      manifests.one('Job').spec.template.spec.serviceAccountName = 'user-registration-backend';
    },
  },
  {
    rule: 'the service and the migration are the same image, pinned by digest, or none was released yet',
    check: (manifests) => {
      const images = new Set(templates(manifests).map(({ spec }) => spec.containers[0].image));
      return [...images].filter(
        (image) =>
          images.size !== 1 ||
          !/^\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com\/[\w-]+:(unreleased|sha-[0-9a-f]{40}@sha256:[0-9a-f]{64})$/.test(
            image,
          ),
      );
    },
    plant: (manifests) => {
      for (const { spec } of templates(manifests)) {
        spec.containers[0].image =
          '123456789012.dkr.ecr.us-east-1.amazonaws.com/user-registration-backend:latest';
      }
    },
  },
];

function templates(manifests: Manifests): PodTemplate[] {
  return [manifests.one('Deployment').spec.template, manifests.one('Job').spec.template];
}

function rightsOf({ spec }: PodTemplate): string[] {
  const { containers, securityContext, volumes } = spec;
  const [container] = containers;
  return [
    containers.slice(1).length === 0 && !('initContainers' in spec)
      ? ''
      : 'a container that nobody looked at',
    spec.automountServiceAccountToken === false && spec.enableServiceLinks === false
      ? ''
      : 'a token or service links',
    securityContext['runAsNonRoot'] === true && securityContext['runAsUser'] === 65532 ? '' : 'may be root',
    same(securityContext['seccompProfile'], { type: 'RuntimeDefault' }) ? '' : 'no seccomp profile',
    same(capabilitiesOf(container), { drop: ['ALL'] }) ? '' : 'capabilities',
    container.securityContext['allowPrivilegeEscalation'] === false ? '' : 'may gain privileges',
    container.securityContext['readOnlyRootFilesystem'] === true ? '' : 'may write its file system',
    'hostNetwork' in spec || 'hostPID' in spec ? 'the host’s namespaces' : '',
    ...volumes.map(({ name, secret, emptyDir }) => ((secret ?? emptyDir?.sizeLimit) ? '' : `volume ${name}`)),
  ].filter(Boolean);
}

function capabilitiesOf(container: Container): unknown {
  return container.securityContext['capabilities'];
}

function migrationProblems(manifests: Manifests): string[] {
  const job = manifests.one('Job');
  const { spec } = job.spec.template;
  const needed = [
    ...spec.containers[0].envFrom.map(({ configMapRef }) => manifests.one('ConfigMap', configMapRef.name)),
    ...spec.volumes.flatMap(({ secret }) =>
      secret ? [manifests.one('ExternalSecret', secret.secretName)] : [],
    ),
  ];
  const wave = (annotations: Labels | undefined): number =>
    Number(annotations?.['argocd.argoproj.io/sync-wave'] ?? 0);
  return [
    ...[job, ...needed].map(({ kind, metadata: { annotations } }) =>
      annotations?.['argocd.argoproj.io/hook'] === 'PreSync' &&
      annotations['argocd.argoproj.io/hook-delete-policy'] === 'BeforeHookCreation'
        ? ''
        : `${kind} is no PreSync hook that is made anew`,
    ),
    ...needed.map(({ kind, metadata }) =>
      wave(metadata.annotations) < wave(job.metadata.annotations) ? '' : `${kind} is not there before`,
    ),
    spec.serviceAccountName === undefined ? '' : 'a ServiceAccount that is not there yet',
    spec.restartPolicy === 'Never' ? '' : 'restarts in place',
    job.spec.backoffLimit > 0 && job.spec.activeDeadlineSeconds > 0 ? '' : 'without an end',
    spec.containers[0].args.join() === 'dist/migrate.js' ? '' : 'does something else',
  ].filter(Boolean);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
