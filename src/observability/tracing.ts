import { AsyncLocalStorage } from 'node:async_hooks';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span as OtelSpan,
  type Tracer,
} from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { closeWithin } from '../runtime/timeout';
import type { ReceivedRecord } from '../services/ports/messaging';
import type { Logger, RequestSpan, Span, Tracing, WrittenBatch } from '../services/ports/telemetry';
import { headerText, REQUEST_ID_HEADER, TRACEPARENT_HEADER } from '../services/registration-record';
import { createTracerProvider } from './tracer-provider';

const FLUSH_TIMEOUT_MS = 1500;

/**
 * Traces as OpenTelemetry's semantic conventions name them. compose() imports this file on demand: without tracing the
 * packages cost nothing.
 */
export class OtlpTracing implements Tracing {
  readonly name = 'tracing';
  readonly stopTimeoutMs = FLUSH_TIMEOUT_MS + 500;
  private readonly requestContext = new AsyncLocalStorage<Context>();
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;

  constructor(private readonly log: Logger) {
    this.provider = createTracerProvider(log);
    this.tracer = this.provider.getTracer('user-registration-backend');
  }

  /** Delivers the last spans. An unavailable collector is no reason to fail, or to wait for long. */
  async stop(): Promise<void> {
    await closeWithin(FLUSH_TIMEOUT_MS, this.provider.shutdown(), (error) =>
      this.log.debug('the last spans were dropped', { error }),
    );
  }

  request(traceparent: string | undefined): RequestSpan {
    // Its name is known when a route was found.
    const span = this.tracer.startSpan('request', { kind: SpanKind.SERVER }, contextOf(traceparent));
    return {
      run: (handle) => this.requestContext.run(trace.setSpan(ROOT_CONTEXT, span), handle),
      end: ({ method, route, status, requestId }) => {
        span.updateName(`${method} ${route}`);
        span.setAttributes({ 'http.request.method': method, 'http.route': route, 'request.id': requestId });
        if (status !== 'aborted') span.setAttribute('http.response.status_code', status);
        end(span, status === 'aborted' || status >= 500 ? String(status) : undefined);
      },
    };
  }

  send(topic: string): Span {
    const options = { kind: SpanKind.PRODUCER, attributes: messaging('send', topic) };
    const context = this.requestContext.getStore() ?? ROOT_CONTEXT;
    const span = this.tracer.startSpan(`send ${topic}`, options, context);
    const { traceId, spanId, traceFlags } = span.spanContext();
    return { traceparent: `00-${traceId}-${spanId}-0${traceFlags}`, end: (failure) => end(span, failure) };
  }

  // Only now, since a batch may have had to be written again many times: nothing has to be remembered meanwhile.
  batchWritten({ records, deadLetters, startedAt, insertedAt }: WrittenBatch): void {
    const reasons = new Map(deadLetters.map(({ record, reason }) => [record, reason]));
    for (const record of records) {
      const reason = reasons.get(record);
      const span = this.startProcessing(record, startedAt);
      if (reason !== 'invalid') {
        const inserting = this.startInsert(span, startedAt, records.length);
        end(inserting, reason === 'unstorable' ? reason : undefined, insertedAt);
      }
      end(span, reason, performance.now());
    }
  }

  private startProcessing(record: ReceivedRecord, startTime: number): OtelSpan {
    const { topic, partition, offset } = record;
    const requestId = headerText(record, REQUEST_ID_HEADER);
    const attributes = {
      ...messaging('process', topic),
      'messaging.destination.partition.id': String(partition),
      'messaging.kafka.offset': Number(offset),
      ...(requestId !== undefined && { 'request.id': requestId }),
    };
    const options = { kind: SpanKind.CONSUMER, attributes, startTime };
    const parent = contextOf(headerText(record, TRACEPARENT_HEADER));
    return this.tracer.startSpan(`process ${topic}`, options, parent);
  }

  // One statement inserts the whole batch; it is shown in the trace of each record.
  private startInsert(parent: OtelSpan, startTime: number, batchSize: number): OtelSpan {
    const attributes = {
      'db.system.name': 'postgresql',
      'db.operation.name': 'INSERT',
      'db.collection.name': 'users',
      'db.operation.batch.size': batchSize,
    };
    const options = { kind: SpanKind.CLIENT, attributes, startTime };
    return this.tracer.startSpan('INSERT users', options, trace.setSpan(ROOT_CONTEXT, parent));
  }
}

function messaging(operation: 'send' | 'process', topic: string): Record<string, string> {
  return {
    'messaging.system': 'kafka',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': topic,
  };
}

/** What a span that continues `traceparent` starts from; without a readable one it starts a trace. */
function contextOf(traceparent: string | undefined): Context {
  const parent = parseTraceParent(traceparent ?? '');
  return parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, { ...parent, isRemote: true });
}

function end(span: OtelSpan, failure: string | undefined, endTime?: number): void {
  if (failure !== undefined) {
    span.setAttribute('error.type', failure);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(endTime);
}
