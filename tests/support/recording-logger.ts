import { describeError } from '../../src/observability/describe-error';
import type { Logger } from '../../src/services/ports/telemetry';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Keeps every line as production would write it. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug = this.record('debug');
  info = this.record('info');
  warn = this.record('warn');
  error = this.record('error');

  private record(level: LogLine['level']): (message: string, fields?: object) => void {
    return (message, fields = {}) => {
      const { error, ...others } = fields as { error?: unknown };
      this.lines.push({
        level,
        message,
        ...others,
        ...(error !== undefined && { error: describeError(error) }),
      });
    };
  }
}
