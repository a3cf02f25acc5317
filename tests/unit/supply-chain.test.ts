import { readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { satisfies } from 'semver';
import { parse } from 'yaml';
import { allowScripts, dependencies } from '../../package.json';
import { DOCS } from '../support/readme';

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly engines?: { readonly node?: string };
  readonly integrity?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly inBundle?: boolean;
}

// Each lets a company ship the service without publishing its own code. docs/security.md names them, too.
const LICENCES = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'];

// Of each version that README.md names, a release that most people have passed by now.
const NODE_VERSIONS = ['20.20.0', '22.22.0', '24.0.0', '26.0.0'];

const lockfile = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, LockedPackage>;
};
const locked = Object.entries(lockfile.packages).filter(([path]) => path !== '');
const inProduction = locked.filter(([, { dev, devOptional }]) => !(dev ?? devOptional ?? false));
const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? '';

describe('packages', () => {
  it('are those of package.json, and what they need', () => {
    const names = inProduction.map(([path]) => nameOf(path));

    expect(names).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  });

  it('are locked by their content, wherever they are fetched from', () => {
    const loose = locked.filter(
      ([, { integrity, inBundle }]) => !integrity?.startsWith('sha512-') && !inBundle,
    );

    expect(loose).toEqual([]);
    expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  it.each(NODE_VERSIONS)('are meant for Node.js %s, so that npm ci has nothing to warn of', (version) => {
    const others = locked.filter(([, { engines }]) => !satisfies(version, engines?.node ?? '*'));

    expect(others.map(([path]) => path)).toEqual([]);
  });

  it('have licences that allow what is done with them, in production', () => {
    const others = inProduction.filter(([, { license = 'none' }]) => !LICENCES.includes(license));

    expect(others).toEqual([]);
    expect(LICENCES.filter((licence) => !DOCS.includes(licence))).toEqual([]);
  });

  it('run no script of their own when they are installed for production', () => {
    const withScript = inProduction
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => nameOf(path));
    const isAllowed: Readonly<Record<string, boolean>> = allowScripts;

    expect(withScript.filter((name) => isAllowed[name] !== false)).toEqual([]);
    expect(readFileSync('Dockerfile', 'utf8')).toMatch(/npm ci --ignore-scripts --omit=dev/);
  });
});

describe('tools of the checks', () => {
  it('from PyPI are locked by their content, with all that they need', () => {
    const lines = readFileSync('.ci/api-fuzz/requirements.txt', 'utf8').split('\n');
    const packages = lines.filter((line) => /^[^\s#]/.test(line));

    expect(packages.length).toBeGreaterThan(20);
    expect(packages.filter((line) => !/^[\w.-]+==\S+ .*\\$/.test(line))).toEqual([]);
    expect(readFileSync('.ci/tools.sh', 'utf8')).toContain('--require-hashes');
  });

  it('are kept up to date wherever they are locked', () => {
    const { updates } = parse(readFileSync('.github/dependabot.yml', 'utf8')) as {
      updates: { directory: string }[];
    };
    const folders = readdirSync('.ci', { recursive: true, encoding: 'utf8' })
      .filter(
        (file) => !file.includes('node_modules') && /(package-lock\.json|requirements\.txt)$/.test(file),
      )
      .map((file) => `/.ci/${dirname(file)}`);

    expect(folders.length).toBeGreaterThan(2);
    expect(updates.map(({ directory }) => directory)).toEqual(expect.arrayContaining(folders));
  });
});
