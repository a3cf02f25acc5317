import { diag, DiagLogLevel } from '@opentelemetry/api';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../services/ports/telemetry';

/**
 * Sends spans to the collector by OTLP/HTTP (JSON), in the background, from a bounded queue: what does not fit in is
 * dropped. The packages read the standard OTEL_ variables themselves, from this process's environment.
 */
export function createTracerProvider(log: Logger): BasicTracerProvider {
  // While it is set up a message is about a variable; afterwards it repeats what ReportingExporter logs once.
  let level: 'warn' | 'debug' = 'warn';
  const report = (message: string): unknown => log[level](`OpenTelemetry: ${message}`);
  const logger = { error: report, warn: report, info: report, debug: report, verbose: report };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const defaults = resourceFromAttributes({ 'service.name': 'user-registration-backend' });
  const provider = new BasicTracerProvider({
    // The environment (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) goes before them.
    resource: defaults.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(new ReportingExporter(new OTLPTraceExporter(), log))],
  });
  level = 'debug';
  return provider;
}

/** Logs once that the collector is unavailable, and once that it is back. */
class ReportingExporter implements SpanExporter {
  private isUnavailable = false;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly log: Logger,
  ) {}

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.exporter.export(spans, (result) => {
      this.report(result);
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  private report({ code, error }: ExportResult): void {
    const wasUnavailable = this.isUnavailable;
    this.isUnavailable = code === ExportResultCode.FAILED;
    if (this.isUnavailable && !wasUnavailable)
      this.log.warn('traces cannot be delivered, spans are dropped', { error });
    if (wasUnavailable && !this.isUnavailable) this.log.info('traces are delivered again');
  }
}
