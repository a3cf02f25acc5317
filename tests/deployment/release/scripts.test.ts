import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { Manifests, type KubernetesObject } from '../manifests';
import { workloadPolicies } from '../workload-policies';
import { parseWorkflow, workflowTexts } from './workflow';

const repository = '210987654321.dkr.ecr.eu-west-1.amazonaws.com/user-registration-backend';
const newer = `${repository}:sha-${'b'.repeat(40)}@sha256:${'2'.repeat(64)}`;
const older = `${repository}:sha-${'a'.repeat(40)}@sha256:${'1'.repeat(64)}`;

const scratch = mkdtempSync(join(tmpdir(), 'release-'));
const newFolder = (): string => mkdtempSync(join(scratch, 'folder-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Ends with what the command printed; throws when it failed. */
const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.com', ...args], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

const run = (cwd: string, script: string, args: string[], input = ''): SpawnSyncReturns<string> =>
  spawnSync(`.github/scripts/${script}`, args, { cwd, input, encoding: 'utf8' });

/** A folder with what the scripts read and change. */
function newCheckout(): string {
  const folder = newFolder();
  cpSync('k8s', join(folder, 'k8s'), { recursive: true });
  cpSync('.github/scripts', join(folder, '.github/scripts'), { recursive: true });
  return folder;
}

function render(folder: string, environment: string): Manifests {
  const text = execFileSync(
    'bash',
    [
      '-c',
      'source .ci/tools.sh; "$(fetch_kubectl)" kustomize "$0"',
      join(folder, 'k8s/overlays', environment),
    ],
    { encoding: 'utf8' },
  );
  return new Manifests(
    environment,
    parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject),
  );
}

describe('set-image', () => {
  it.each(['dev', 'staging', 'prod'])(
    'makes all of %s run the image, and changes nothing else',
    (environment) => {
      const folder = newCheckout();
      const before = Manifests.read(environment);

      for (const reference of [older, newer]) {
        expect(run(folder, 'set-image', [reference, environment]).stderr).toBe('');
      }

      const after = render(folder, environment);
      const job = after.one('Job').spec.template.spec.containers[0];
      expect([after.container.image, job.image]).toEqual([newer, newer]);
      for (const { check } of workloadPolicies) expect(check(after)).toEqual([]);
      after.container.image = job.image = before.container.image;
      expect(after.objects).toEqual(before.objects);
    },
  );

  it('keeps comments, and is the same when it is repeated', () => {
    const folder = newCheckout();
    const file = join(folder, 'k8s/overlays/prod/kustomization.yaml');
    const comments = readFileSync(file, 'utf8').match(/#.*/g);

    run(folder, 'set-image', [newer, 'prod']);
    const once = readFileSync(file, 'utf8');
    run(folder, 'set-image', [newer, 'prod']);

    expect(readFileSync(file, 'utf8')).toBe(once);
    expect(once.match(/#.*/g)).toEqual(comments);
  });

  it.each([
    ['a moving tag', [`${repository}:latest`, 'prod']],
    ['a tag without a digest', [newer.split('@')[0] ?? '', 'prod']],
    ['a short digest', [newer.slice(0, -1), 'prod']],
    ['an environment that is not there', [newer, 'test']],
    ['no environment', [newer]],
    ['nothing', []],
  ])('refuses %s and changes nothing', (_what, args) => {
    const folder = newCheckout();

    const { status, stderr } = run(folder, 'set-image', args);

    expect(status).not.toBe(0);
    expect(stderr).not.toBe('');
    expect(readFileSync(join(folder, 'k8s/overlays/prod/kustomization.yaml'), 'utf8')).toBe(
      readFileSync('k8s/overlays/prod/kustomization.yaml', 'utf8'),
    );
  });
});

describe('commit-image', () => {
  /** A checkout of main at the server, which `origin` is. */
  function newClone(): { clone: string; server: string } {
    const clone = newCheckout();
    const server = newFolder();
    git(server, 'init', '--quiet', '--bare', '--initial-branch=main');
    git(clone, 'init', '--quiet', '--initial-branch=main');
    git(clone, 'add', '--all');
    git(clone, 'commit', '--quiet', '--message=Start');
    git(clone, 'remote', 'add', 'origin', server);
    git(clone, 'push', '--quiet', 'origin', 'main');
    return { clone, server };
  }

  const imageIn = (server: string, branch: string, environment: string): string =>
    git(server, 'show', `${branch}:k8s/overlays/${environment}/kustomization.yaml`);

  it('commits dev and staging on main, and production on its own branch', () => {
    const { clone, server } = newClone();

    expect(run(clone, 'commit-image', [newer]).stderr).toBe('');

    const changed = git(server, 'diff', '--name-only', 'main~1', 'main').split('\n');
    expect(changed).toEqual(['dev', 'staging'].map((name) => `k8s/overlays/${name}/kustomization.yaml`));
    for (const environment of ['dev', 'staging']) {
      expect(imageIn(server, 'main', environment)).toContain(`digest: sha256:${'2'.repeat(64)}`);
    }
    expect(imageIn(server, 'main', 'prod')).not.toContain('digest: ');
    expect(git(server, 'rev-parse', 'release-production~1')).toBe(git(server, 'rev-parse', 'main'));
    expect(git(server, 'diff', '--name-only', 'main', 'release-production')).toBe(
      'k8s/overlays/prod/kustomization.yaml',
    );
  });

  it('changes only files whose change starts no release', () => {
    const { clone, server } = newClone();
    run(clone, 'commit-image', [newer]);

    const changed = git(server, 'diff', '--name-only', 'main~1', 'release-production').split('\n');
    const { on } = parseWorkflow(workflowTexts['release.yml'] ?? '');
    const ignored = typeof on === 'string' ? [] : (on['push']?.['paths-ignore'] ?? []);
    const patterns = ignored.map(
      (glob) => new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`),
    );

    expect(changed.length).toBe(3);
    expect(changed.filter((path) => !patterns.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  it('comes after whoever pushes at the same moment, and undoes nothing of theirs', () => {
    const { clone, server } = newClone();
    const other = join(newFolder(), 'other');
    git(clone, 'clone', '--quiet', server, other);
    writeFileSync(join(other, 'theirs'), '');
    git(other, 'add', '--all');
    git(other, 'commit', '--quiet', '--message=Theirs');
    // Git runs it, once, between the script's fetch and its push.
    const hook = join(clone, '.git/hooks/pre-push');
    writeFileSync(hook, `#!/bin/sh\nrm "$0"\nunset GIT_DIR\ngit -C '${other}' push --quiet origin main\n`);
    chmodSync(hook, 0o755);

    expect(run(clone, 'commit-image', [newer]).status).toBe(0);

    const subjects = git(server, 'log', '--format=%s', 'main').split('\n');
    expect(subjects).toEqual([expect.stringContaining('Release to dev staging'), 'Theirs', 'Start']);
  });

  it('makes no empty commit when it is repeated, and offers production only the newest image', () => {
    const { clone, server } = newClone();
    for (const reference of [older, newer, newer]) run(clone, 'commit-image', [reference]);

    expect(git(server, 'rev-list', '--count', 'main')).toBe('3');
    expect(git(server, 'rev-list', '--count', 'main..release-production')).toBe('1');
    expect(imageIn(server, 'release-production', 'prod')).toContain(`newTag: sha-${'b'.repeat(40)}`);
  });

  it('fails when main cannot be pushed, and leaves production alone', () => {
    const { clone, server } = newClone();
    const hook = join(server, 'hooks/pre-receive');
    writeFileSync(hook, '#!/bin/sh\necho protected >&2\nexit 1\n');
    chmodSync(hook, 0o755);

    const { status, stderr } = run(clone, 'commit-image', [newer]);

    expect(status).toBe(1);
    expect(stderr).toContain('protected');
    expect(git(server, 'branch')).toBe('* main');
  });

  it('fails when staging cannot be changed, and leaves dev alone, too', () => {
    const { clone, server } = newClone();
    writeFileSync(join(clone, 'k8s/overlays/staging/kustomization.yaml'), 'images: []\n');
    git(clone, 'commit', '--quiet', '--all', '--message=Broken');
    git(clone, 'push', '--quiet', 'origin', 'main');

    const { status, stderr } = run(clone, 'commit-image', [newer]);

    expect(status).toBe(1);
    expect(stderr).toContain('staging');
    expect(git(server, 'log', '--format=%s', 'main').split('\n')).toEqual(['Broken', 'Start']);
  });

  it('fails when the image is none', () => {
    const { clone, server } = newClone();

    expect(run(clone, 'commit-image', [`${repository}:latest`]).status).not.toBe(0);
    expect(git(server, 'rev-list', '--all', '--count')).toBe('1');
  });
});

describe('scan-verdict', () => {
  const answer = (status: string, findingSeverityCounts?: object): string =>
    JSON.stringify({ imageScanStatus: { status }, imageScanFindings: { findingSeverityCounts } });

  it.each([
    ['nothing was found', answer('COMPLETE', {}), 0],
    ['no counts of findings', answer('COMPLETE'), 0],
    ['only lesser findings, by enhanced scanning', answer('ACTIVE', { MEDIUM: 3, LOW: 1 }), 0],
    ['a HIGH finding', answer('COMPLETE', { HIGH: 1, LOW: 7 }), 1],
    ['a CRITICAL finding', answer('ACTIVE', { CRITICAL: 1 }), 1],
    ['a scan that failed', answer('FAILED'), 1],
    ['an image that cannot be scanned', answer('UNSUPPORTED_IMAGE'), 1],
    ['a scan that goes on', answer('IN_PROGRESS'), 75],
    ['a scan that waits', answer('PENDING'), 75],
    ['a status without findings', JSON.stringify({ imageScanStatus: { status: 'ACTIVE' } }), 75],
    ['no answer yet', '', 75],
  ])('%s', (_what, input, expected) => {
    expect(run('.', 'scan-verdict', [], input).status).toBe(expected);
  });

  it('does not take an answer that is none for a good one', () => {
    expect([0, 75]).not.toContain(run('.', 'scan-verdict', [], '<html>').status);
  });
});
