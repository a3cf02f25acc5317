import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { Kinds } from '../../tests/deployment/manifests';

const storage = `${process.cwd()}/.local/image`;
const options = [
  ...['--root', `${storage}/storage`, '--runroot', `${storage}/run`, '--storage-driver', 'overlay'],
  ...['--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
];

export interface Finished {
  readonly code: number;
  readonly output: string;
}

/** In the host's network, where the servers are; limits that also a root without all its rights may set. */
export const onThisHost = [
  ...['--network', 'host', '--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=1024:1024'],
];

/** The Deployment whose rules a container is run under. */
export const deployment = (parse(readFileSync('k8s/base/deployment.yaml', 'utf8')) as Kinds['Deployment'])
  .spec;

/** Runs podman to its end; never rejects. */
export async function podman(...args: string[]): Promise<Finished> {
  try {
    const { stdout, stderr } = await promisify(execFile)('podman', [...options, ...args], {
      timeout: 120_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : 1, output: `${stdout ?? ''}${stderr ?? ''}` };
  }
}

/** How the pod's security settings and limits are said to podman. */
export function asInTheDeployment(): string[] {
  const { spec } = deployment.template;
  const [container] = spec.containers;
  const context = { ...spec.securityContext, ...container.securityContext } as {
    runAsUser: number;
    runAsGroup: number;
    readOnlyRootFilesystem: boolean;
    allowPrivilegeEscalation: boolean;
    capabilities: { drop: string[] };
  };
  const tmp = spec.volumes.find(({ name }) => name === 'tmp')?.emptyDir?.sizeLimit ?? '';
  return [
    ...onThisHost,
    ...['--user', `${context.runAsUser}:${context.runAsGroup}`],
    ...context.capabilities.drop.flatMap((name) => ['--cap-drop', name]),
    ...(context.allowPrivilegeEscalation ? [] : ['--security-opt', 'no-new-privileges']),
    ...(context.readOnlyRootFilesystem ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...['--tmpfs', `/tmp:size=${tmp.replace('i', '').toLowerCase()}`],
    ...['--memory', (container.resources.limits['memory'] ?? '').replace('i', '').toLowerCase()],
  ];
}

/** Variables as podman takes them. */
export function asVariables(env: NodeJS.ProcessEnv): string[] {
  return Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value ?? ''}`]);
}
