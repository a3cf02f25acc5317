import { announcement } from './announcement';
import { devDataDir, type DevSettings, loadDevSettings } from './dev-settings';
import { type LocalStack, startLocalStack } from './local-stack/local-stack';
import { LocalStackError } from './local-stack/local-stack-error';
import type { OwnedProcess } from './local-stack/owned-process';
import { isPortFree } from './local-stack/ports';
import { serveSignUpPage } from './sign-up-page';
import { onStopSignals } from './stop-signals';
import { startWatchedService, waitUntilReady } from './watched-service';

const serviceStopTimeoutMs = 30_000;

/** `npm run dev`: starts the servers that are not configured, and the service on them, until Ctrl-C. */
async function runDev(): Promise<void> {
  // Until everything runs, the reaper stops what has been started.
  let stop = (): void => process.exit(0);
  let kill = (): void => process.exit(1);
  onStopSignals(
    () => stop(),
    () => kill(),
  );

  const settings = loadDevSettings(process.env);
  await assertPortFree('PORT', settings.port);
  await assertPortFree('METRICS_PORT', settings.metricsPort);
  const stack = await startServers(settings);
  const service = await startWatchedService({
    ...process.env,
    ...stack.env,
    RATE_LIMIT_MAX: settings.rateLimitMax,
  });
  const stopping = new AbortController();
  stop = () => {
    stopping.abort();
    console.log('\nStopping the service, then the servers; Ctrl-C again ends them at once.');
    void service.stop('SIGTERM', serviceStopTimeoutMs);
  };
  kill = () => void Promise.all([service.kill(), stack.kill()]).finally(() => process.exit(1));

  void announce(settings, service);
  const code = await service.exited;
  await stack.stop();
  process.exit(stopping.signal.aborted ? 0 : code);
}

async function assertPortFree(variable: string, port: number): Promise<void> {
  if (await isPortFree(port)) return;
  const otherPort = `${variable}=${port + 1} npm run dev`;
  throw new LocalStackError(
    `Port ${port} is already in use: stop the other program, or choose another port with ${otherPort}`,
  );
}

function startServers({ missing, database }: DevSettings): Promise<LocalStack> {
  return startLocalStack({
    services: missing,
    dataDir: devDataDir,
    database,
    report: (line) => console.log(line),
  });
}

async function announce(settings: DevSettings, service: OwnedProcess): Promise<void> {
  const ready = `http://localhost:${settings.port}/api/health/ready`;
  if (await waitUntilReady(ready, service)) {
    console.log(announcement(settings, await serveSignUpPage(settings)));
  }
}

runDev().catch((error: unknown) => {
  console.error(error instanceof LocalStackError ? error.message : error);
  process.exit(1);
});
