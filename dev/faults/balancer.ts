import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './http-client';

const pollIntervalMs = 500;
const pollTimeoutMs = 2000;

/** A process of the service, wherever it runs. */
export interface Target {
  readonly url: string;
}

/** Chooses the next ready replica for each request, as a load balancer would. */
export class Balancer {
  private readonly ready = new Set<Target>();
  private readonly drained = new Set<Target>();
  private turn = 0;
  private running = true;

  private replicas: readonly Target[] = [];

  start(replicas: readonly Target[]): void {
    this.replicas = replicas;
    void this.poll();
  }

  stop(): void {
    this.running = false;
  }

  /** The next ready replica; while none is ready, any: clients do not stop sending. */
  next(): Target {
    const inRotation = this.replicas.filter((each) => this.ready.has(each) && !this.drained.has(each));
    const choice = inRotation.length > 0 ? inRotation : this.replicas;
    return choice[this.turn++ % choice.length] as Target;
  }

  /** Takes a replica out of the rotation, or back in once it is ready. */
  drain(replica: Target, isOut: boolean): void {
    if (isOut) this.drained.add(replica);
    else this.drained.delete(replica);
    this.ready.delete(replica);
  }

  private async poll(): Promise<void> {
    while (this.running) {
      await Promise.all(this.replicas.map((replica) => this.pollOne(replica)));
      await sleep(pollIntervalMs, undefined, { ref: false });
    }
  }

  private async pollOne(replica: Target): Promise<void> {
    const { status } = await ask(`${replica.url}/api/health/ready`, pollTimeoutMs);
    if (status === 200) this.ready.add(replica);
    else this.ready.delete(replica);
  }
}
