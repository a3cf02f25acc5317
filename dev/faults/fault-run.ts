import { withTimeout } from '../../src/runtime/timeout';
import { lag } from '../../tests/support/kafka-tools';
import { Balancer } from './balancer';
import { eventually } from './eventually';
import type { Evidence } from './evidence';
import { ask } from './http-client';
import { inspected, readDeadLetters, readPendingEmails, readRows } from './inspect';
import { findViolations } from './invariants';
import { Journal } from './journal';
import type { Outcome } from './outcome';
import { Random } from './random';
import { folderOf } from './report';
import type { Planted, Scenario, Stage } from './scenario';
import type { ServiceReplica } from './service-replica';
import { TestBed } from './test-bed';
import { Traffic } from './traffic';

const replicas = 2;
const defaultLimitSeconds = 180;
// Getting well, draining, settling, memory, judging: all the waits below together, and the same again to spare.
const afterFaultLimitSeconds = 300;
const warmUpShare = 0.25;
const afterHealSeconds = 10;
const clientPatienceSeconds = 30;
const readyLimitSeconds = 15;
const drainLimitSeconds = 60;
const settleLimitSeconds = 15;
const memoryMargin = 1.1;
const memoryLimitSeconds = 30;
// Before that a process has not reached the level that it keeps.
const memoryWarmUpSeconds = 15;

export interface FaultRunOptions {
  /** How long registrations arrive; longer when the scenario takes longer. */
  readonly seconds: number;
  readonly perSecond: number;
  readonly seed: number;
  /** Gets one line every second. */
  readonly report: (line: string) => void;
}

/** Runs one scenario on servers of its own, from the start to the judgement. */
export async function runScenario(scenario: Scenario, options: FaultRunOptions): Promise<Outcome> {
  const bed = await TestBed.start(scenario, folderOf(scenario.name));
  try {
    const run = new FaultRun(scenario, bed, options);
    const limitSeconds =
      options.seconds + (scenario.limitSeconds ?? defaultLimitSeconds) + afterFaultLimitSeconds;
    const tooLong = (): Error => new Error(`${scenario.name} did not end within ${limitSeconds} s`);
    return await withTimeout(run.play(), limitSeconds * 1000, tooLong);
  } finally {
    await bed.stop();
  }
}

class FaultRun {
  private readonly journal = new Journal();
  private readonly planted: Planted = { deadLetters: [], registrations: [] };
  private readonly problems: string[] = [];
  private readonly figures: Record<string, number> = {};
  private readonly balancer = new Balancer();
  private readonly traffic: Traffic;
  private memoryBefore = new Map<number, number>();
  private phase = 'start';

  constructor(
    private readonly scenario: Scenario,
    private readonly bed: TestBed,
    private readonly options: FaultRunOptions,
  ) {
    const { journal } = this;
    const random = new Random(options.seed);
    this.traffic = new Traffic({ balancer: this.balancer, journal, random, perSecond: options.perSecond });
  }

  async play(): Promise<Outcome> {
    const progress = setInterval(() => this.options.report(this.progressLine()), 1000);
    try {
      await this.startReplicas();
      await this.playUnderLoad();
      await this.drain();
      return await this.judge();
    } finally {
      clearInterval(progress);
      this.balancer.stop();
    }
  }

  private async startReplicas(): Promise<void> {
    for (let count = 0; count < replicas; count += 1) await this.bed.addReplica();
    // One after the other: the first one makes the tables and the topics.
    for (const replica of this.bed.replicas) {
      await replica.start();
      if (this.scenario.startsWithout === undefined) await eventually('ready', 30, () => isWell(replica));
    }
    this.balancer.start([...this.bed.replicas]);
  }

  private async playUnderLoad(): Promise<void> {
    const { bed, scenario, options } = this;
    const startedAt = performance.now();
    this.phase = 'warm-up';
    this.traffic.start();
    await bed.hold(scenario.startsWithout === undefined ? options.seconds * warmUpShare : 0);
    this.memoryBefore = await this.measureMemory();

    this.phase = 'fault';
    await this.attempt(() => this.runFault());
    await bed.heal();
    this.phase = 'healed';
    await this.attempt(() => this.untilWell());
    const leftSeconds = options.seconds - (performance.now() - startedAt) / 1000;
    await bed.hold(Math.max(leftSeconds, afterHealSeconds));
  }

  private runFault(): Promise<void> {
    const { scenario } = this;
    const limitSeconds = scenario.limitSeconds ?? defaultLimitSeconds;
    const tooLong = (): Error => new Error(`the fault was not healed within ${limitSeconds} s`);
    return withTimeout(scenario.run(this.stage), limitSeconds * 1000, tooLong);
  }

  private async untilWell(): Promise<void> {
    const times = this.bed.replicas.map((replica) =>
      eventually(`${replica.name} is well`, readyLimitSeconds, () => isWellOrGone(replica)),
    );
    this.figures['readyMs'] = Math.round(Math.max(...(await Promise.all(times))));
  }

  private async drain(): Promise<void> {
    this.phase = 'draining';
    await this.traffic.pause(clientPatienceSeconds * 1000);
    const env = inspected(this.bed.env);
    await this.attempt(async () => {
      this.figures['drainedMs'] = Math.round(
        await eventually('lag is 0', drainLimitSeconds, async () => (await lag(env)) === 0),
      );
    });
    await eventually('no reservation of a stored e-mail', settleLimitSeconds, async () => {
      const stored = new Set((await readRows(env)).map(({ email }) => email));
      return (await readPendingEmails(env)).every((email) => !stored.has(email));
    }).catch(() => undefined); // The invariant says it with the e-mails.
    await this.compareMemory();
  }

  private async judge(): Promise<Outcome> {
    this.phase = 'judging';
    const env = inspected(this.bed.env);
    const evidence: Evidence = {
      tolerates: this.scenario.tolerates,
      isWithoutFault: this.scenario.name === 'none',
      journal: this.journal,
      planted: this.planted,
      rows: await readRows(env),
      deadLetters: await readDeadLetters(env),
      pendingEmails: await readPendingEmails(env),
      livenessFailures: this.bed.replicas.flatMap((replica) => replica.livenessFailures),
      recoveryFailures: this.problems,
    };
    for (const replica of this.bed.replicas) {
      const code = await replica.stop();
      if (code !== 0) this.problems.push(`${replica.name} ended with ${code} after SIGTERM at the end`);
    }
    return {
      scenario: this.scenario.name,
      violations: findViolations(evidence),
      figures: {
        ...this.figures,
        posts: this.journal.size,
        '201': this.journal.count(201),
        '409': this.journal.count(409),
        '503': this.journal.count(503),
        cut: this.journal.count(0),
        worstMs: Math.round(this.journal.worstMs),
        rows: evidence.rows.length,
        deadLetters: evidence.deadLetters.length,
      },
    };
  }

  private get stage(): Stage {
    const { bed, balancer, traffic, planted } = this;
    const announce = (what: string): void => {
      this.phase = what;
    };
    return { bed, balancer, traffic, planted, announce, untilWell: () => this.untilWell() };
  }

  /** A step that fails is a broken promise, not the end of the run: the invariants are checked all the same. */
  private async attempt(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const { message, cause } = error as Error;
      this.problems.push(cause instanceof Error ? `${message} (${cause.message})` : message);
    }
  }

  private async measureMemory(): Promise<Map<number, number>> {
    const running = this.bed.replicas.filter(({ isRunning }) => isRunning);
    const levels = running.map(async (each) => [each.pid ?? 0, await each.rssBytes()] as const);
    return new Map(await Promise.all(levels));
  }

  /** Processes that ran before and after. Node gives memory back late, hence the patience. */
  private async compareMemory(): Promise<void> {
    const warmUpSeconds = this.options.seconds * warmUpShare;
    if (this.scenario.startsWithout !== undefined || warmUpSeconds < memoryWarmUpSeconds) return;
    await eventually('memory is what it was', memoryLimitSeconds, async () => {
      const after = await this.measureMemory();
      const ratios = [...this.memoryBefore].flatMap(([pid, before]) => {
        const level = after.get(pid);
        return level === undefined ? [] : [level / before];
      });
      this.figures['memoryRatio'] = Math.max(0, ...ratios);
      this.figures['memoryMb'] = Math.round(Math.max(...after.values()) / 2 ** 20);
      return this.figures['memoryRatio'] <= memoryMargin;
    }).catch(() => this.problems.push(`memory is ${String(this.figures['memoryRatio'])} of what it was`));
  }

  private progressLine(): string {
    const { journal, traffic } = this;
    const counts = [201, 409, 503].map((status) => `${status}: ${journal.count(status)}`).join('  ');
    return `${this.scenario.name}  ${this.phase}  ${counts}  cut: ${journal.count(0)}  open: ${traffic.openCount}`;
  }
}

async function isWell(replica: ServiceReplica): Promise<boolean> {
  const answers = await Promise.all([
    ask(`${replica.url}/api/health/ready`, 2000),
    ask(`${replica.url}/api/health`, 2000),
  ]);
  return answers.every(({ status }) => status === 200);
}

async function isWellOrGone(replica: ServiceReplica): Promise<boolean> {
  return !replica.isRunning || isWell(replica);
}
