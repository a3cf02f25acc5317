import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Metrics } from '../../src/observability/metrics';
import { DOCS } from '../support/readme';
import { Manifests, readRendered, type KubernetesObject } from './manifests';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface PrometheusRule extends KubernetesObject {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }[];
}

const rendered = readRendered('prod');
const { spec } = rendered.find(({ kind }) => kind === 'PrometheusRule') as PrometheusRule;
const rules = spec.groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const dashboard = JSON.parse(
  Manifests.read('prod').one('ConfigMap', 'user-registration-dashboard').data['dashboard.json'] ?? '',
) as Dashboard;
const panels = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));

/** The names of the series that an expression reads. */
function metricsIn(expr: string): string[] {
  return expr.match(/\b(?:http|registration|nodejs|process|namespace\w*:\w+)[\w:]*(?=[{[\s)]|$)/g) ?? [];
}

function knownSeries(): Set<string> {
  const metrics = new Metrics('');
  metrics.registerGauges({
    sendQueue: { depth: 0, oldestAgeMs: 0 },
    consumer: { oldestInFlightAt: undefined },
    consumerLag: { latest: [] },
    topics: { settings: { missing: new Map() } },
    sweeper: { unfinished: 0 },
    liveness: { silenceMs: 0 },
    health: { isReady: () => true },
    dependencies: [],
    redis: { mayEvict: false },
    pool: { usage: { used: 0, idle: 0, waiting: 0, max: 0 } },
  });
  const names = metrics.registry.getMetricsAsArray().map(({ name }) => name);
  const recorded = rules.flatMap(({ record }) => record ?? []);
  return new Set([
    ...names.flatMap((name) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]),
    ...recorded,
  ]);
}

it.each([...rules.map(({ alert, record, expr }) => ({ title: alert ?? record, expr })), ...panels])(
  '$title reads metrics that the service has',
  ({ expr }) => {
    const names = metricsIn(expr);
    const isAboutTargets = expr.includes('up{');
    expect(names.length + Number(isAboutTargets)).toBeGreaterThan(0);
    expect(names.filter((name) => !knownSeries().has(name))).toEqual([]);
  },
);

it('every metric of the documentation’s table is in an alert or on the dashboard', () => {
  const used = [...rules, ...panels].flatMap(({ expr }) => metricsIn(expr)).join(' ');
  const listed = [...DOCS.matchAll(/^\| `((?:http|registration)_\w+)` \|/gm)];
  const unused = listed.flatMap(([, name = '']) => (used.includes(name) ? [] : [name]));
  expect(unused).toEqual(['registration_build_info']);
});

describe.each(alerts)('$alert', ({ alert = '', labels, annotations }) => {
  it('has a severity, a text and a runbook that is there', () => {
    expect(['critical', 'warning']).toContain(labels?.['severity']);
    expect(annotations).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
    const [file = '', anchor] =
      (annotations?.['runbook_url'] ?? '').split('/blob/main/')[1]?.split('#') ?? [];
    const sections = [...readFileSync(file, 'utf8').matchAll(/^## (.+)$/gm)].map(([, title = '']) => title);
    expect(sections).toContain(alert);
    expect(anchor).toBe(alert.toLowerCase());
  });

  it('has a test in which it fires, and one in which it does not', () => {
    const { tests } = parse(readFileSync('tests/deployment/alerts/alerts.test.yml', 'utf8')) as {
      tests: { name: string; promql_expr_test?: { exp_samples: { labels: string }[] }[] }[];
    };
    const own = tests
      .filter(({ name }) => name.includes(alert))
      .flatMap((test) => test.promql_expr_test ?? []);
    const firing = own.map(({ exp_samples: samples }) =>
      samples.some(({ labels: text }) => text.includes(`"${alert}"`)),
    );
    expect(firing).toEqual(expect.arrayContaining([true, false]));
  });
});

describe.each(['dev', 'staging', 'prod'])(
  'one Prometheus for several environments: the rules of %s',
  (name) => {
    const namespace = `user-registration-${name}`;
    const own = (readRendered(name).find(({ kind }) => kind === 'PrometheusRule') as PrometheusRule).spec;

    it.each(own.groups.flatMap((group) => group.rules))(
      '$alert$record is about its namespace',
      ({ expr }) => {
        // What stands further behind is joined by namespace, and restricted by this one.
        expect(/\{.*?\}/.exec(expr)?.[0]).toMatch(new RegExp(`^\\{namespace="${namespace}"[,}]`));
        expect(expr).toMatch(/^absent\(|by \(namespace|^namespace:/);
      },
    );

    it('name it where no series can', () => {
      const absent = own.groups
        .flatMap((group) => group.rules)
        .find(({ expr }) => expr.startsWith('absent('));
      expect(absent?.labels).toMatchObject({ namespace });
    });
  },
);

it('the dashboard shows what is shed under overload, and by the rate limit', () => {
  const shown = panels.filter(({ title }) => title === 'Requests').map(({ expr }) => expr);
  expect(shown).toEqual([
    expect.stringContaining('route=~"/api/users.*|shed"'),
    expect.stringContaining('status="429"'),
  ]);
});

it('the runbooks are about alerts that exist', () => {
  const sections = [...readFileSync('docs/runbooks.md', 'utf8').matchAll(/^## (.+)$/gm)].map(
    ([, title]) => title,
  );
  expect(sections.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
});

it('Grafana and Prometheus find what is theirs by its labels', () => {
  const { labels } = Manifests.read('prod').one('ConfigMap', 'user-registration-dashboard').metadata;
  expect(labels).toMatchObject({ grafana_dashboard: '1' });
  for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
    expect(rendered.find((object) => object.kind === kind)?.metadata.labels).toMatchObject({
      release: 'kube-prometheus-stack',
    });
  }
});

it('metrics are scraped from a port that the pods have and no Ingress names', () => {
  const manifests = Manifests.read('prod');
  expect(manifests.container.ports).toContainEqual({ name: 'metrics', containerPort: 9464 });
  expect(manifests.one('Service').spec.ports).toContainEqual({
    name: 'metrics',
    port: 9464,
    targetPort: 'metrics',
  });
  expect(JSON.stringify(manifests.one('Ingress').spec)).not.toContain('metrics');
});
