import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as the collector received it. */
export interface CollectedSpan {
  readonly service: unknown;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface OtlpSpan extends Omit<CollectedSpan, 'service' | 'attributes' | 'parentSpanId'> {
  readonly parentSpanId?: string;
  readonly attributes: readonly OtlpAttribute[];
}

interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const started: TraceCollector[] = [];

afterAll(() => started.forEach((collector) => collector.stop()));

/** An OpenTelemetry collector (OTLP/HTTP with JSON) that keeps all it gets. */
export class TraceCollector {
  /** What it answers; undefined: nothing at all. */
  status: number | undefined = 200;
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<TraceCollector> {
    const server = createServer((req, res) => {
      let body = '';
      req.on('data', (text: Buffer) => (body += text.toString()));
      req.on('end', () => {
        collector.headers.push(req.headers);
        if (collector.status === undefined) return;
        if (collector.status === 200) collector.bodies.push(body);
        res.writeHead(collector.status, { 'Content-Type': 'application/json' }).end('{}');
      });
    });
    const collector = new TraceCollector(server);
    started.push(collector);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  /** Variables that make the service send its spans here, soon. */
  get env(): Record<string, string> {
    const { port } = this.server.address() as AddressInfo;
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: '50',
    };
  }

  get spans(): CollectedSpan[] {
    return this.bodies.flatMap((body) =>
      (JSON.parse(body) as OtlpTraces).resourceSpans.flatMap(({ resource, scopeSpans }) => {
        const service = toRecord(resource.attributes)['service.name'];
        return scopeSpans.flatMap(({ spans }) => spans.map((span) => toCollected(span, service)));
      }),
    );
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

function toCollected(span: OtlpSpan, service: unknown): CollectedSpan {
  const { traceId, spanId, parentSpanId, name, attributes } = span;
  return { service, traceId, spanId, parentSpanId, name, attributes: toRecord(attributes) };
}

function toRecord(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
