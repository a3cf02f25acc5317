import dotenv from 'dotenv';
import { compose } from './compose';
import { ConfigError, loadConfig, productionWarnings, type Config } from './config/config';
import { LogOutput } from './observability/log-output';
import { createLogger } from './observability/logger';
import { stopOnCrash, stopOnSignal } from './runtime/signals';
import type { Logger } from './services/ports/telemetry';

async function run(config: Config, log: Logger, output: LogOutput): Promise<void> {
  productionWarnings(config).forEach((warning) => log.warn(warning));
  let stop = (): Promise<boolean> => Promise.resolve(true);
  try {
    const { lifecycle, server, metricsServer, metrics } = await compose(config, log);
    output.on('dropped', (lines: number) => metrics.logLinesDropped.inc(lines));
    stop = () => lifecycle.stop(config.shutdownTimeoutMs).finally(() => output.flush());
    stopOnSignal((signal) => {
      log.info('stopping', { signal });
      return stop();
    });
    stopOnCrash((error) => log.error('crashed', { error }), stop);
    await lifecycle.start();
    if (!lifecycle.isStarted) return; // A signal came first.
    log.info('listening', {
      port: server.address.port,
      metricsPort: metricsServer.address.port,
      env: config.env,
      consumer: config.consumerEnabled,
    });
  } catch (error) {
    // In one line: a stack, or the fields of a driver's error, may show a password.
    log.error(startProblem(error, config));
    await stop();
    process.exit(1);
  }
}

function startProblem(error: unknown, config: Config): string {
  const { code, port } = error as { code?: unknown; port?: number };
  const variable = port === config.metricsPort ? 'METRICS_PORT' : 'PORT';
  if (code === 'EADDRINUSE')
    return `Port ${port ?? ''} is already in use: stop the other program or set ${variable} to another one.`;
  if (code === 'EACCES') return `Port ${port ?? ''} needs more rights: set ${variable} to one above 1023.`;
  return `Cannot start: ${error instanceof Error ? error.message : String(error)}`;
}

dotenv.config({ quiet: true });
try {
  const config = loadConfig(process.env);
  const output = new LogOutput(process.stdout);
  const log = createLogger({ level: config.logLevel, json: config.env === 'production', output });
  void run(config, log, output);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
