import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import {
  DEAD_LETTER_REASONS,
  USER_EVENT_TYPES,
  type DeadLetterReason,
  type UserEventType,
} from '../services/ports/messaging';
import type { PipelineMetrics, RecordRequest, UniquenessSource } from '../services/ports/telemetry';
import { PREFIX, registerGauges, type Sources } from './gauges';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']);

/** Every metric of the service, each declared here and in docs/observability.md. Labels take values from short, fixed lists. */
export class Metrics implements PipelineMetrics {
  readonly registry = new Registry();
  readonly logLinesDropped = this.counter(
    'log_lines_dropped_total',
    'Log lines that were lost because stdout was not read, or not fast enough',
  );

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
  private readonly decidedAlone = this.counter(
    'degraded_decisions_total',
    'Registrations decided while this dependency was unavailable or too slow: one of them may end as a conflict',
    'dependency',
  );
  private readonly rejectedWrites = this.counter(
    'rejected_writes_total',
    'Attempts at writing a batch that PostgreSQL rejected, whereupon it waits, by SQLSTATE and constraint or column',
    'sqlstate',
    'constraint',
  );
  private readonly deadLetters = this.counter(
    'dead_letters_total',
    'Records that became no row, by reason',
    'reason',
  );
  private readonly erasures = this.counter(
    'erasures_total',
    'People who were erased; a repeated erasure counts again',
  );
  private readonly erasedRecords = this.counter(
    'erased_records_total',
    'Records that became neither a row nor a dead letter, because their people were erased after them',
  );
  private readonly userEvents = this.counter(
    'events_total',
    'Events that Kafka has confirmed, by type; the same one may be published more than once',
    'type',
  );
  private readonly lost = this.counter(
    'records_lost_total',
    'Records that Kafka deleted before the consumer group had read them',
  );

  constructor(revision: string) {
    collectDefaultMetrics({ register: this.registry });
    for (const reason of DEAD_LETTER_REASONS) this.deadLetters.inc({ reason }, 0);
    for (const type of USER_EVENT_TYPES) this.userEvents.inc({ type }, 0);
    for (const dependency of ['redis', 'postgres']) this.decidedAlone.inc({ dependency }, 0);
    const manifest = readFileSync(join(__dirname, '../../package.json'), 'utf8');
    const { version } = JSON.parse(manifest) as { version: string };
    new Gauge({
      name: `${PREFIX}build_info`,
      help: 'Always 1; the labels say what runs: the package’s version and the commit',
      labelNames: ['version', 'revision'],
      registers: [this.registry],
    }).set({ version, revision }, 1);
  }

  registerGauges(sources: Sources): void {
    registerGauges(this.registry, sources);
  }

  // An arrow function: it is handed over by itself.
  readonly recordRequest: RecordRequest = (method, route, status, seconds) => {
    const known = METHODS.has(method) ? method : 'other';
    this.requests.observe({ method: known, route, status: String(status) }, seconds);
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

  recordsErased(records: number): void {
    this.erasedRecords.inc(records);
  }

  erased(people: number): void {
    this.erasures.inc(people);
  }

  eventsPublished(type: UserEventType, events: number): void {
    this.userEvents.inc({ type }, events);
  }

  recordsLost(records: number): void {
    this.lost.inc(records);
  }

  private counter<Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> {
    return new Counter({ name: `${PREFIX}${name}`, help, labelNames, registers: [this.registry] });
  }
}
