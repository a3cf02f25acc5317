import type { DependencyStatus } from './dependency-monitor';

/** The body of GET /api/health, as the README shows it. */
export interface HealthReport {
  readonly uptime: number;
  readonly message: 'OK' | 'Degraded';
  readonly timestamp: number;
  readonly services: Readonly<Record<string, 'healthy' | 'unhealthy'>>;
}

interface HealthDeps {
  readonly dependencies: readonly DependencyStatus[];
  readonly lifecycle: { readonly isStarted: boolean };
  readonly liveness: { readonly isAlive: boolean };
}

/** Answers the probes from memory: no I/O inside a probe. */
export class HealthService {
  constructor(private readonly deps: HealthDeps) {}

  report(): HealthReport {
    const { dependencies } = this.deps;
    return {
      uptime: process.uptime(),
      message: dependencies.every(({ isHealthy }) => isHealthy) ? 'OK' : 'Degraded',
      timestamp: Date.now(),
      services: Object.fromEntries(
        dependencies.map(({ name, isHealthy }) => [name, isHealthy ? 'healthy' : 'unhealthy']),
      ),
    };
  }

  isAlive(): boolean {
    return this.deps.liveness.isAlive;
  }

  /** Started, every dependency reached once, not stopping. Later outages never unready the process. */
  isReady(): boolean {
    return this.deps.lifecycle.isStarted && this.deps.dependencies.every(({ wasReached }) => wasReached);
  }
}
