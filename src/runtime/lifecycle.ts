import { withTimeout } from './timeout';

/** Something that is started with the process and stopped with it. */
export interface Component {
  readonly name: string;
  /** Must not wait for a dependency that may be unavailable. */
  start?(): void | Promise<void>;
  /** Safe to call twice and without a start. */
  stop(): void | Promise<void>;
  /** How long stop() may take before the next component is stopped. */
  readonly stopTimeoutMs: number;
}

/** Starts components in order and stops them in reverse; readiness reads its state. */
export class Lifecycle {
  private phase: 'new' | 'started' | 'stopping' = 'new';
  private stopped: Promise<boolean> | undefined;
  private components: readonly Component[] = [];

  constructor(private readonly log: Record<'info' | 'error', (message: string, fields: object) => unknown>) {}

  /** The components, in start order. */
  register(components: readonly Component[]): void {
    this.components = components;
  }

  get isStarted(): boolean {
    return this.phase === 'started';
  }

  /** Starts nothing more once stop() was called: isStarted then stays false. */
  async start(): Promise<void> {
    for (const component of this.components) {
      if (this.phase !== 'new') return;
      await component.start?.();
    }
    if (this.phase === 'new') this.phase = 'started';
  }

  /** Stops everything once, within `timeoutMs` in all. Resolves to whether every component stopped cleanly. */
  stop(timeoutMs: number): Promise<boolean> {
    this.phase = 'stopping';
    const timeout = (): Error => new Error('deadline passed');
    return (this.stopped ??= withTimeout(this.stopAll(), timeoutMs, timeout).catch((error: unknown) => {
      this.log.error('shutdown timed out', { timeoutMs, error });
      return false;
    }));
  }

  private async stopAll(): Promise<boolean> {
    let clean = true;
    for (const component of this.components.toReversed()) clean = (await this.stopOne(component)) && clean;
    return clean;
  }

  // A failure is logged and counted, and does not keep the next component from stopping.
  private async stopOne(component: Component): Promise<boolean> {
    const startedAt = performance.now();
    try {
      const timeout = (): Error => new Error(`not stopped within ${component.stopTimeoutMs} ms`);
      await withTimeout(Promise.resolve(component.stop()), component.stopTimeoutMs, timeout);
      const durationMs = Math.round(performance.now() - startedAt);
      this.log.info('stopped', { component: component.name, durationMs });
      return true;
    } catch (error) {
      this.log.error('stop failed', { component: component.name, error });
      return false;
    }
  }
}
