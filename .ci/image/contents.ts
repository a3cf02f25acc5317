import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { productionOptions, program } from '../../dev/production-options';
import { asInTheDeployment, onThisHost, podman } from './podman';

const sizeLimitMb = 200;

interface Inside {
  readonly user: string;
  readonly capabilities: string;
  readonly noNewPrivileges: string;
  readonly writes: Readonly<Record<'app' | 'dist' | 'root' | 'tmp', string>>;
  readonly programs: readonly string[];
  readonly notOwnedByRoot: readonly string[];
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

interface ImageConfig {
  readonly User?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly StopSignal?: string;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
}

/** Size in MB of an image. */
export async function sizeMb(image: string): Promise<number> {
  const { output } = await podman('image', 'inspect', '--format', '{{.Size}}', image);
  return Math.round(Number(output.trim()) / 1e6);
}

/** What is wrong with the image itself: one line each. */
export async function contentProblems(image: string): Promise<string[]> {
  const inspected = await podman('image', 'inspect', image);
  const [{ Config: config, Healthcheck: healthCheck }] = JSON.parse(inspected.output) as [
    { Config: ImageConfig; Healthcheck?: unknown },
  ];
  const size = await sizeMb(image);
  return [
    ...configProblems(config),
    healthCheck === undefined && 'no HEALTHCHECK',
    size >= sizeLimitMb && `${size} MB`,
    ...insideProblems(await lookInside(image, asInTheDeployment())),
    // Not only because the Deployment forbids it: the files themselves are not the service's to change.
    ...writableProblems(await lookInside(image, onThisHost)),
  ].filter((problem) => problem !== false);
}

function configProblems(config: ImageConfig): (string | false)[] {
  const labels = ['title', 'source', 'revision', 'version', 'created', 'licenses'];
  return [
    config.User !== '65532:65532' && `the user is ${config.User ?? 'root'}`,
    config.Entrypoint?.join() !== '/nodejs/bin/node' && 'another entry point',
    commandOf(config) !== [...productionOptions, program].join(' ') && 'another command than `npm start`',
    config.StopSignal !== undefined && !/^(SIGTERM|15)$/.test(config.StopSignal) && 'another stop signal',
    !('8000/tcp' in (config.ExposedPorts ?? {})) && 'port 8000 is not exposed',
    !config.Env?.includes('NODE_ENV=production') && 'NODE_ENV is not production',
    !config.Env?.includes(`REVISION=${config.Labels?.['org.opencontainers.image.revision'] ?? ''}`) &&
      'REVISION is not the commit',
    config.Env?.some((entry) => /PASSWORD|SECRET|TOKEN|KEY/i.test(entry)) === true && 'a secret in ENV',
    ...labels.map(
      (name) => !(`org.opencontainers.image.${name}` in (config.Labels ?? {})) && `no label ${name}`,
    ),
  ];
}

function commandOf({ Env = [], Cmd = [] }: ImageConfig): string {
  const setting = 'NODE_OPTIONS=';
  const options = Env.find((entry) => entry.startsWith(setting))?.slice(setting.length);
  return [options, ...Cmd].join(' ');
}

function insideProblems(inside: Inside): (string | false)[] {
  const stray = inside.files.filter(
    (file) => !/^\/app\/(dist|migrations|node_modules|package\.json)/.test(file),
  );
  const expected = productionPackages();
  const unexpected = inside.packages.filter(
    (path) => /^node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path) && !expected.has(path),
  );
  return [
    inside.user !== '65532:65532' && `runs as ${inside.user}`,
    /[1-9a-f]/.test(inside.capabilities) && `capabilities ${inside.capabilities}`,
    inside.noNewPrivileges !== '1' && 'may gain privileges',
    inside.writes.app !== 'EROFS' && `/app can be written: ${inside.writes.app}`,
    inside.writes.root !== 'EROFS' && `/ can be written: ${inside.writes.root}`,
    inside.writes.tmp !== 'written' && `/tmp cannot be written: ${inside.writes.tmp}`,
    inside.programs.length > 0 && `programs: ${inside.programs.join(' ')}`,
    inside.notOwnedByRoot.length > 0 && `not root’s alone: ${inside.notOwnedByRoot[0] ?? ''}`,
    stray.length > 0 && `strays: ${stray.join(' ')}`,
    unexpected.length > 0 && `not for production: ${unexpected.join(' ')}`,
    inside.files.some((file) => file.endsWith('.ts')) && 'sources',
    !inside.files.includes('/app/dist/migrate.js') && 'no migrate.js',
  ];
}

function writableProblems({ writes }: Inside): (string | false)[] {
  return [
    writes.app !== 'EACCES' && `the service may write /app: ${writes.app}`,
    writes.dist !== 'EACCES' && `the service may change itself: ${writes.dist}`,
  ];
}

async function lookInside(image: string, flags: readonly string[]): Promise<Inside> {
  const script = readFileSync('.ci/image/inside.mjs', 'utf8');
  const { code, output } = await podman(
    'run',
    '--rm',
    '--no-healthcheck',
    ...flags,
    image,
    '--input-type=module',
    '-e',
    script,
  );
  const line = output.split('\n').find((text) => text.startsWith('{'));
  if (code !== 0 || line === undefined) throw new Error(`nothing to see inside: ${output}`);
  return JSON.parse(line) as Inside;
}

/** The package.json of every package that `npm ci --omit=dev` may install. */
function productionPackages(): Set<string> {
  const args = ['query', ':root .prod', '--package-lock-only'];
  const packages = JSON.parse(
    execFileSync('npm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }),
  ) as {
    location: string;
  }[];
  return new Set(packages.map(({ location }) => `${location}/package.json`));
}
