import { asInTheDeployment, asVariables, deployment, podman, type Finished } from './podman';

/** A container of the image that runs as the Deployment's pods do. */
export class Pod {
  readonly url: string;

  private constructor(
    readonly name: string,
    port: number,
  ) {
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Resolves when the container runs, ready or not. */
  static async start(image: string, name: string, env: NodeJS.ProcessEnv & { PORT: string }): Promise<Pod> {
    const { args } = deployment.template.spec.containers[0];
    const flags = ['--detach', '--name', name, ...asInTheDeployment(), ...asVariables(env)];
    await podman('rm', '--force', name);
    const { code, output } = await podman('run', ...flags, image, ...args);
    if (code !== 0) throw new Error(`${name} did not start: ${output}`);
    return new Pod(name, Number(env.PORT));
  }

  /** Runs a program in the running container. */
  exec(...command: string[]): Promise<Finished> {
    return podman('exec', this.name, ...command);
  }

  /** Runs the image's HEALTHCHECK. */
  healthCheck(): Promise<Finished> {
    return podman('healthcheck', 'run', this.name);
  }

  /** SIGTERM, and SIGKILL when the grace period ends: its exit code and the seconds that it took. */
  async terminate(graceSeconds: number): Promise<{ readonly code: number; readonly seconds: number }> {
    const startedAt = performance.now();
    await podman('stop', '--time', String(Math.floor(graceSeconds)), this.name);
    const seconds = (performance.now() - startedAt) / 1000;
    const { output } = await podman('wait', this.name);
    return { code: Number(output.trim()), seconds };
  }

  async logs(): Promise<string> {
    return (await podman('logs', this.name)).output;
  }

  async remove(): Promise<void> {
    await podman('rm', '--force', this.name);
  }
}
