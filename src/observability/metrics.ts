import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { DEAD_LETTER_REASONS, type DeadLetterReason } from '../services/ports/messaging';
import type { PipelineMetrics, RecordRequest, UniquenessSource } from '../services/ports/telemetry';
import { Gauges, PREFIX, type Sources } from './gauges';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** Every metric of the service, each declared here and in the README. Labels take values from short, fixed lists. */
export class Metrics implements PipelineMetrics {
  readonly registry = new Registry();
  private readonly gauges = new Gauges(this.registry);
  readonly logLinesDropped = new Counter({
    name: `${PREFIX}log_lines_dropped_total`,
    help: 'Log lines that were lost because stdout was not read, or not fast enough',
    registers: [this.registry],
  });

  private readonly requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the response was sent. Route is the pattern, "unmatched" without one, "shed" under overload, "client_error" when it was not HTTP; status "aborted" when the client left',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  private readonly persistDelay = new Histogram({
    name: `${PREFIX}persist_delay_seconds`,
    help: 'Time from accepting a registration to its row; a record that is delivered again counts again',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600],
    registers: [this.registry],
  });
  private readonly decidedAlone = new Counter({
    name: `${PREFIX}degraded_decisions_total`,
    help: 'Registrations decided while this dependency was unavailable or too slow: one of them may end as a conflict',
    labelNames: ['dependency'],
    registers: [this.registry],
  });
  private readonly sends = new Histogram({
    name: `${PREFIX}produce_duration_seconds`,
    help: 'Time of one send to Kafka, by result: confirmed or failed (and repeated)',
    labelNames: ['result'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.registry],
  });
  private readonly batches = new Histogram({
    name: `${PREFIX}batch_records`,
    help: 'Records of one batch written to PostgreSQL',
    buckets: [1, 5, 10, 25, 50, 100, 250, 500],
    registers: [this.registry],
  });
  private readonly rejectedWrites = new Counter({
    name: `${PREFIX}rejected_writes_total`,
    help: 'Attempts at writing a batch that PostgreSQL rejected, whereupon it waits, by SQLSTATE and constraint or column',
    labelNames: ['sqlstate', 'constraint'],
    registers: [this.registry],
  });
  private readonly deadLetters = new Counter({
    name: `${PREFIX}dead_letters_total`,
    help: 'Records that became no row, by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  });

  private readonly lost = new Counter({
    name: `${PREFIX}records_lost_total`,
    help: 'Records that Kafka deleted before the consumer group had read them',
    registers: [this.registry],
  });

  constructor(revision: string) {
    collectDefaultMetrics({ register: this.registry });
    for (const reason of DEAD_LETTER_REASONS) this.deadLetters.inc({ reason }, 0);
    for (const dependency of ['redis', 'postgres']) this.decidedAlone.inc({ dependency }, 0);
    const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as {
      version: string;
    };
    this.gauges.buildInfo(version, revision);
  }

  registerGauges(sources: Sources): void {
    this.gauges.register(sources);
  }

  // An arrow function: it is handed over by itself.
  readonly recordRequest: RecordRequest = (method, route, status, seconds) => {
    this.requests.observe(
      { method: METHODS.has(method) ? method : 'other', route, status: String(status) },
      seconds,
    );
  };

  decidedDegraded(dependency: UniquenessSource): void {
    this.decidedAlone.inc({ dependency });
  }

  produced(seconds: number, isConfirmed: boolean): void {
    this.sends.observe({ result: isConfirmed ? 'confirmed' : 'failed' }, seconds);
  }

  batchWritten(records: number): void {
    this.batches.observe(records);
  }

  writeRejected(sqlState: string, constraint = ''): void {
    this.rejectedWrites.inc({ sqlstate: sqlState, constraint });
  }

  persisted(seconds: number): void {
    this.persistDelay.observe(seconds);
  }

  deadLettered(reason: DeadLetterReason): void {
    this.deadLetters.inc({ reason });
  }

  recordsLost(records: number): void {
    this.lost.inc(records);
  }
}
