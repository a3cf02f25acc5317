import { existsSync } from 'node:fs';
import { Manifests, readRendered, type KubernetesObject } from './manifests';

interface Application extends KubernetesObject {
  readonly spec: {
    readonly project: string;
    readonly source: { readonly repoURL: string; readonly path: string };
    readonly destination: { readonly server: string; readonly namespace: string };
    readonly ignoreDifferences: readonly {
      readonly kind: string;
      readonly jsonPointers: readonly string[];
    }[];
    readonly syncPolicy: {
      readonly automated: Record<string, boolean>;
      readonly syncOptions: readonly string[];
      readonly managedNamespaceMetadata: { readonly labels: Record<string, string> };
      readonly retry: { readonly limit: number; readonly refresh: boolean };
    };
  };
}

interface AppProject extends KubernetesObject {
  readonly spec: {
    readonly sourceRepos: readonly string[];
    readonly destinations: readonly { readonly server: string; readonly namespace: string }[];
    readonly clusterResourceWhitelist: readonly { readonly group: string; readonly kind: string }[];
    readonly namespaceResourceWhitelist: readonly { readonly group: string; readonly kind: string }[];
    readonly syncWindows: readonly { readonly kind: string; readonly applications: readonly string[] }[];
  };
}

const objects = readRendered('argocd');
const applications = objects.filter(({ kind }) => kind === 'Application') as Application[];
const project = objects.find(({ kind }) => kind === 'AppProject') as AppProject;
const environmentOf = ({ spec }: Application): string => spec.source.path.split('/').at(-1) ?? '';

it('there is one Application for each environment', () => {
  expect(applications.map(environmentOf).sort()).toEqual(['dev', 'prod', 'staging']);
});

describe.each(applications)('$metadata.name', (application) => {
  const { metadata, spec } = application;

  it('deploys an overlay that is there into the namespace that the overlay names', () => {
    expect(existsSync(spec.source.path)).toBe(true);
    const namespaces = Manifests.read(environmentOf(application)).objects.map(
      (object) => object.metadata.namespace,
    );
    expect(new Set(namespaces)).toEqual(new Set([spec.destination.namespace]));
  });

  it('keeps the cluster as git says, and leaves the number of replicas to the autoscaler', () => {
    const { automated, syncOptions, retry } = spec.syncPolicy;
    expect(automated).toEqual({ prune: true, selfHeal: true, allowEmpty: false });
    expect(syncOptions).toEqual(
      expect.arrayContaining([
        'ServerSideApply=true',
        'PruneLast=true',
        'ApplyOutOfSyncOnly=true',
        'RespectIgnoreDifferences=true',
        'PrunePropagationPolicy=foreground',
      ]),
    );
    expect(retry).toMatchObject({ limit: 5, refresh: true });
    expect(spec.ignoreDifferences).toMatchObject([{ kind: 'Deployment', jsonPointers: ['/spec/replicas'] }]);
    expect(metadata.finalizers).toEqual(['resources-finalizer.argocd.argoproj.io']);
  });

  it('makes a namespace for restricted pods that the load balancer must reach before they count as ready', () => {
    expect(spec.syncPolicy.managedNamespaceMetadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'restricted',
      'elbv2.k8s.aws/pod-readiness-gate-inject': 'enabled',
    });
  });

  it('is allowed by its project to do all that, kind by kind', () => {
    expect(spec.project).toBe(project.metadata.name);
    expect(project.spec.sourceRepos).toContain(spec.source.repoURL);
    const allowed = project.spec.namespaceResourceWhitelist.map(({ group, kind }) => `${group}/${kind}`);
    const used = Manifests.read(environmentOf(application)).objects.map(({ apiVersion, kind }) =>
      apiVersion.includes('/') ? `${apiVersion.split('/')[0] ?? ''}/${kind}` : `/${kind}`,
    );
    expect(allowed).toEqual(expect.arrayContaining([...new Set(used)]));
  });
});

it('the project allows nothing else: its own repository, its own namespaces, no cluster objects but namespaces', () => {
  expect(project.spec.sourceRepos).toHaveLength(1);
  expect(project.spec.destinations).toEqual([
    { server: 'https://kubernetes.default.svc', namespace: 'user-registration-*' },
  ]);
  expect(project.spec.clusterResourceWhitelist).toEqual([{ group: '', kind: 'Namespace' }]);
});

it('production changes by itself only in its window', () => {
  expect(project.spec.syncWindows).toMatchObject([
    { kind: 'allow', applications: ['user-registration-prod'], manualSync: true },
  ]);
});
