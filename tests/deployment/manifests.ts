import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    annotations?: Record<string, string>;
    finalizers?: string[];
  };
}

export type Labels = Record<string, string>;

export interface Container {
  image: string;
  args: string[];
  ports?: { name: string; containerPort: number }[];
  env?: { name: string; value: string }[];
  envFrom: { configMapRef: { name: string } }[];
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  securityContext: Record<string, unknown>;
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  volumeMounts: { name: string; mountPath: string }[];
}

export interface Probe {
  httpGet: { path: string; port: string };
}

export interface PodTemplate {
  metadata: { labels: Labels };
  spec: {
    restartPolicy?: string;
    serviceAccountName?: string;
    automountServiceAccountToken?: boolean;
    enableServiceLinks?: boolean;
    terminationGracePeriodSeconds: number;
    securityContext: Record<string, unknown>;
    topologySpreadConstraints: { topologyKey: string; matchLabelKeys: string[]; labelSelector: Selector }[];
    containers: [Container];
    volumes: { name: string; secret?: { secretName: string }; emptyDir?: { sizeLimit?: string } }[];
  };
}

export interface Selector {
  matchLabels?: Labels;
}

/** The kinds that are looked at, with the fields that are looked at. */
export interface Kinds {
  ConfigMap: KubernetesObject & { data: Record<string, string> };
  Deployment: KubernetesObject & {
    spec: {
      replicas?: number;
      minReadySeconds: number;
      revisionHistoryLimit: number;
      progressDeadlineSeconds: number;
      strategy: { rollingUpdate: { maxSurge: string; maxUnavailable: number } };
      selector: Selector;
      template: PodTemplate;
    };
  };
  Job: KubernetesObject & {
    spec: { backoffLimit: number; activeDeadlineSeconds: number; template: PodTemplate };
  };
  StatefulSet: KubernetesObject & { spec: { serviceName: string; template: PodTemplate } };
  Service: KubernetesObject & {
    spec: { selector: Labels; ports: { name: string; port: number; targetPort: string }[] };
  };
  Ingress: KubernetesObject & {
    spec: {
      ingressClassName: string;
      rules: {
        host: string;
        http: { paths: { backend: { service: { name: string; port: { name: string } } } }[] };
      }[];
    };
  };
  HorizontalPodAutoscaler: KubernetesObject & {
    spec: {
      minReplicas: number;
      maxReplicas: number;
      scaleTargetRef: { kind: string; name: string };
      behavior: Record<'scaleUp' | 'scaleDown', { stabilizationWindowSeconds: number }>;
    };
  };
  PodDisruptionBudget: KubernetesObject & {
    spec: { minAvailable: number; unhealthyPodEvictionPolicy: string; selector: Selector };
  };
  NetworkPolicy: KubernetesObject & {
    spec: {
      podSelector: Selector;
      policyTypes: string[];
      ingress?: { from?: unknown[]; ports?: { port: number }[] }[];
      egress?: { to?: unknown[]; ports?: { port: number }[] }[];
    };
  };
  ExternalSecret: KubernetesObject & {
    spec: {
      secretStoreRef: { kind: string; name: string };
      target: { name?: string; template: { data: Record<string, string> } };
      dataFrom: { extract: { key: string } }[];
    };
  };
}

/** One environment's manifests, as `.ci/check-manifests` rendered them. */
export class Manifests {
  constructor(
    readonly environment: string,
    readonly objects: KubernetesObject[],
  ) {}

  static read(environment: string): Manifests {
    return new Manifests(environment, readRendered(environment));
  }

  /** A copy to break something in. */
  copy(): Manifests {
    return new Manifests(this.environment, structuredClone(this.objects));
  }

  all<K extends keyof Kinds>(kind: K): Kinds[K][] {
    return this.objects.filter((object) => object.kind === kind) as Kinds[K][];
  }

  /** The only one of its kind, or the one of this name. */
  one<K extends keyof Kinds>(kind: K, name?: string): Kinds[K] {
    const found = this.all(kind).filter(({ metadata }) => name === undefined || metadata.name === name);
    const [object, ...others] = found;
    if (object === undefined || others.length > 0) {
      throw new Error(`${this.environment}: ${found.length} of ${kind} ${name ?? ''}`);
    }
    return object;
  }

  get container(): Container {
    return this.one('Deployment').spec.template.spec.containers[0];
  }

  /** The variables of the service's pods; with `of`, those of another workload's. */
  env(of: Container = this.container): Record<string, string> {
    const names = of.envFrom.map(({ configMapRef }) => configMapRef.name);
    return Object.assign({}, ...names.map((name) => this.one('ConfigMap', name).data)) as never;
  }
}

/** The objects of one rendered file. */
export function readRendered(name: string): KubernetesObject[] {
  const text = readFileSync(`.local/manifests/${name}.yaml`, 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

/** Whether `selector` chooses pods with these labels; an empty one chooses all. */
export function selects(selector: Labels | undefined, labels: Labels): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value);
}
