import { readFileSync } from 'node:fs';
import { parseWorkflow, stepsOf, workflowTexts } from './workflow';
import { workflowPolicies } from './workflow-policies';

const textOf = (name: string): string => workflowTexts[name] ?? '';
const release = parseWorkflow(textOf('release.yml'));
const ranBy = (name: string): string[] =>
  stepsOf(parseWorkflow(textOf(name))).flatMap(({ run }) => run?.trim() ?? []);

describe.each(workflowPolicies)('$rule', ({ check, plant }) => {
  it.each(Object.entries(workflowTexts))('in %s', (_name, text) => {
    expect(check(text)).toEqual([]);
  });

  it('or the check fails', () => {
    expect(check(plant(textOf('release.yml')))).not.toEqual([]);
  });
});

describe('a pull request', () => {
  it('runs all that .ci/run does; Docker itself stands in for the checks of image and compose file without it', () => {
    const commands = [...readFileSync('.ci/run', 'utf8').matchAll(/^step '[^']+' (.+)$/gm)];
    const wanted = commands
      .map(([, command]) => command ?? '')
      .filter((command) => !/^\.ci\/check-(image|compose)$/.test(command));

    expect(wanted.length).toBeGreaterThan(8);
    expect(ranBy('test.yml')).toEqual(wanted);
    expect(parseWorkflow(textOf('pull-request.yml')).jobs['test']?.uses).toBe('./.github/workflows/test.yml');
    expect(ranBy('pull-request.yml').join()).toContain('docker compose --profile app up');
  });
});

describe('a push to main', () => {
  it('is tested before there is an image, and is an image before it is deployed', () => {
    expect(release.jobs['test']?.uses).toBe('./.github/workflows/test.yml');
    expect(release.jobs['image']?.needs).toBe('test');
    expect(release.jobs['deploy']?.needs).toBe('image');
  });

  it('builds with list of packages and provenance, scans, and signs only what the scan let through', () => {
    const steps = release.jobs['image']?.steps ?? [];
    const at = (part: string): number =>
      steps.findIndex(({ uses, run }) => `${uses ?? ''}${run ?? ''}`.includes(part));
    const build = steps[at('docker/build-push-action')];

    expect(build?.with).toMatchObject({ push: true, sbom: true, provenance: 'mode=max' });
    expect(at('docker/build-push-action')).toBeLessThan(at('await-scan'));
    expect(at('await-scan')).toBeLessThan(at('cosign sign'));
    expect(steps[at('cosign sign')]?.run).toContain('cosign attest');
  });

  it('passes on every build argument of the Dockerfile', () => {
    const build = stepsOf(release).find(({ uses }) => uses?.startsWith('docker/build-push-action'));
    const given = String(build?.with?.['build-args'])
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    const declared = [...readFileSync('Dockerfile', 'utf8').matchAll(/^ARG (\w+)/gm)].map(([, name]) => name);

    expect(given.sort()).toEqual([...new Set(declared)].sort());
  });

  it('needs only what the set-up tells of', () => {
    const setUp = readFileSync('.github/aws/README.md', 'utf8');
    const used = [...textOf('release.yml').matchAll(/vars\.(\w+)/g)].map(([, name]) => name ?? '');

    expect(used.filter((name) => !setUp.includes(`\`${name}\``))).toEqual([]);
    expect(setUp).toContain('release.yml@refs/heads/main');
  });
});
