import { environmentPolicies } from './environment-policies';
import { Manifests } from './manifests';
import { workloadPolicies } from './workload-policies';

const environments = ['dev', 'staging', 'prod'].map((name) => Manifests.read(name));

describe.each([...workloadPolicies, ...environmentPolicies])('$rule', ({ check, plant, only }) => {
  const concerned = environments.filter(({ environment }) => only === undefined || environment === only);

  it.each(concerned)('in $environment', (manifests) => {
    expect(check(manifests)).toEqual([]);
  });

  it('or the check fails', () => {
    for (const manifests of concerned) {
      const broken = manifests.copy();
      plant(broken);
      expect(check(broken)).not.toEqual([]);
    }
  });
});
