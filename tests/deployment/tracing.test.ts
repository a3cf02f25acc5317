import { configOf } from './environment-policies';
import { Manifests, selects } from './manifests';

const without = Manifests.read('prod');
const traced = Manifests.read('prod-tracing');
const policy = traced.one('NetworkPolicy', 'user-registration-tracing').spec;

it('no environment traces by itself: the collector is somebody’s choice', () => {
  expect(configOf(without).tracingEnabled).toBe(false);
});

it('the component turns tracing on and changes nothing else that the service reads', () => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...others } = traced.env();

  expect(configOf(traced).tracingEnabled).toBe(true);
  expect(endpoint).toMatch(/^http/);
  expect(others).toEqual(without.env());
});

it('the component lets the service, and not the migration, reach that collector alone', () => {
  const { hostname, port } = new URL(traced.env()['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '');
  const [, namespace] = hostname.split('.');

  expect(policy.egress).toEqual([
    {
      to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } }],
      ports: [{ protocol: 'TCP', port: Number(port) }],
    },
  ]);
  expect(policy.ingress).toBeUndefined();
  const { matchLabels } = policy.podSelector;
  expect(selects(matchLabels, traced.one('Deployment').spec.template.metadata.labels)).toBe(true);
  expect(selects(matchLabels, traced.one('Job').spec.template.metadata.labels)).toBe(false);
});
