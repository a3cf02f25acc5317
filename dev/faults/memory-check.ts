import { eventually } from './eventually';
import type { ServiceReplica } from './service-replica';

/** How much of the memory before a fault a process may use after it. */
export const memoryMargin = 1.1;
const limitSeconds = 30;

/** Compares the memory of the replicas' processes before and after a fault. */
export class MemoryCheck {
  private before = new Map<number, number>();

  constructor(private readonly replicas: readonly ServiceReplica[]) {}

  async begin(): Promise<void> {
    this.before = await this.measure();
  }

  /**
   * Resolves to the memory as a share of what it was, the worst of the processes that ran all the time: once that is within
   * the margin, at the latest after 30 s, as Node gives memory back late.
   */
  async end(): Promise<number> {
    let ratio = 0;
    await eventually(`memory is at most ${memoryMargin} of what it was`, limitSeconds, async () => {
      ratio = this.compare(await this.measure());
      return ratio <= memoryMargin;
    }).catch(() => undefined); // The caller judges the ratio.
    return ratio;
  }

  private compare(after: ReadonlyMap<number, number>): number {
    const ratios = [...this.before].map(([pid, before]) => (after.get(pid) ?? 0) / before);
    return Math.max(0, ...ratios);
  }

  /** Bytes by process id: a restarted replica is another process. */
  private async measure(): Promise<Map<number, number>> {
    const running = this.replicas.filter(({ isRunning }) => isRunning);
    return new Map(
      await Promise.all(running.map(async (each) => [each.pid ?? 0, await each.rssBytes()] as const)),
    );
  }
}
