import { withTimeout } from '../../src/runtime/timeout';
import { lag } from '../../tests/support/kafka-tools';
import { Balancer } from './balancer';
import { eventually } from './eventually';
import { inspected } from './inspect';
import { Journal } from './journal';
import { MemoryCheck, memoryMargin } from './memory-check';
import { Problems } from './problems';
import { Random } from './random';
import { isWell, untilWell } from './recovery';
import { faultLimitSeconds, type Planted, type Scenario, type Stage } from './scenario';
import { adminKey, type TestBed } from './test-bed';
import { Traffic } from './traffic';

const replicas = 2;
const startLimitSeconds = 30;
const warmUpShare = 0.25;
const afterHealSeconds = 10;
const clientPatienceSeconds = 30;
const drainLimitSeconds = 60;
// Before that a process has not reached its steady level.
const memoryWarmUpSeconds = 15;

export interface FaultRunOptions {
  /** How long registrations arrive; longer when the scenario takes longer. */
  readonly seconds: number;
  readonly perSecond: number;
  readonly seed: number;
  /** Gets one line every second. */
  readonly report: (line: string) => void;
}

/** One scenario on a test bed: load, the fault, the recovery, until all is stored. */
export class FaultRun {
  readonly journal = new Journal();
  readonly planted: Planted = { deadLetters: [], registrations: [] };
  readonly problems = new Problems();
  readonly figures: Record<string, number> = {};
  readonly random: Random;
  /** From the fault to the recovery from it. */
  faultWindow = { from: new Date(), to: new Date() };
  phase = 'start';
  private readonly balancer = new Balancer();
  private readonly traffic: Traffic;
  private readonly memory: MemoryCheck;

  constructor(
    readonly scenario: Scenario,
    readonly bed: TestBed,
    private readonly options: FaultRunOptions,
  ) {
    const { balancer, journal } = this;
    this.random = new Random(options.seed);
    const { random } = this;
    this.traffic = new Traffic({ balancer, journal, random, perSecond: options.perSecond, adminKey });
    this.memory = new MemoryCheck(bed.replicas);
  }

  async play(): Promise<void> {
    try {
      await this.startReplicas();
      await this.playUnderLoad();
      await this.drain();
      await this.compareMemory();
    } finally {
      this.balancer.stop();
    }
  }

  get progressLine(): string {
    const { journal, traffic } = this;
    const counts = [201, 409, 503].map((status) => `${status}: ${journal.count(status)}`).join('  ');
    return `${this.scenario.name}  ${this.phase}  ${counts}  cut: ${journal.count(0)}  erased: ${journal.erased}  open: ${traffic.openCount}`;
  }

  private async startReplicas(): Promise<void> {
    for (let count = 0; count < replicas; count += 1) await this.bed.addReplica();
    // One after the other: the first one makes the tables and the topics.
    for (const replica of this.bed.replicas) {
      await replica.start();
      if (this.scenario.startsWithout === undefined)
        await eventually(`${replica.name} is ready`, startLimitSeconds, () => isWell(replica));
    }
    this.balancer.start([...this.bed.replicas]);
  }

  private async playUnderLoad(): Promise<void> {
    const { bed, problems, options } = this;
    const startedAt = performance.now();
    this.phase = 'warm-up';
    this.traffic.start();
    await bed.hold(this.warmUpSeconds);
    await this.memory.begin();

    this.phase = 'fault';
    const from = new Date();
    await problems.attempt(() => this.runFault());
    await bed.heal();
    this.phase = 'healed';
    await problems.attempt(() => this.recover());
    this.faultWindow = { from, to: new Date() };
    const leftSeconds = options.seconds - (performance.now() - startedAt) / 1000;
    await bed.hold(Math.max(leftSeconds, afterHealSeconds));
  }

  /** None where the fault is there from the start. */
  private get warmUpSeconds(): number {
    return this.scenario.startsWithout === undefined ? this.options.seconds * warmUpShare : 0;
  }

  private runFault(): Promise<void> {
    const limitSeconds = faultLimitSeconds(this.scenario);
    const tooLong = (): Error => new Error(`the fault was not healed within ${limitSeconds} s`);
    return withTimeout(this.scenario.run(this.stage), limitSeconds * 1000, tooLong);
  }

  private get stage(): Stage {
    const { bed, balancer, traffic, planted } = this;
    const announce = (what: string): void => {
      this.phase = what;
    };
    return { bed, balancer, traffic, planted, announce, untilWell: () => this.recover() };
  }

  private async recover(): Promise<void> {
    this.figures['readyMs'] = await untilWell(this.bed.replicas);
  }

  private async drain(): Promise<void> {
    this.phase = 'draining';
    await this.traffic.pause(clientPatienceSeconds * 1000);
    const env = inspected(this.bed.env);
    await this.problems.attempt(async () => {
      const drainedMs = await eventually('lag is 0', drainLimitSeconds, async () => (await lag(env)) === 0);
      this.figures['drainedMs'] = Math.round(drainedMs);
    });
  }

  private async compareMemory(): Promise<void> {
    if (this.warmUpSeconds < memoryWarmUpSeconds) return;
    const ratio = await this.memory.end();
    this.figures['memoryRatio'] = ratio;
    if (ratio > memoryMargin) this.problems.add(`memory is ${ratio.toFixed(2)} of what it was`);
  }
}
