import type { Logger } from '../services/ports/telemetry';

/** Tracing by OpenTelemetry, whose packages are imported on demand: without tracing they cost nothing. */
export async function loadTracing(log: Logger) {
  const { createTracerProvider } = await import('./tracer-provider.js');
  const { OtlpTracing } = await import('./tracing.js');
  return new OtlpTracing({ provider: createTracerProvider(log), log });
}
