import { createInterface } from 'node:readline';
import { type ServiceName, startLocalStack } from '../local-stack/local-stack';
import { OwnedProcess } from '../local-stack/owned-process';
import { checkoutDir } from '../local-stack/paths';
import { type Variant, variantVariable } from '../local-stack/variant';

const timeoutMs = 30_000;
const unreachable = { DB_PORT: '1', REDIS_URL: 'redis://127.0.0.1:1', KAFKA_BROKERS: '127.0.0.1:1' };

/**
 * Starts the service on this one server; resolves to the hint that it logs of it while it is not ready, undefined when there
 * is none in 30 s.
 */
export async function findHint(dependency: ServiceName, variant: Variant): Promise<string | undefined> {
  process.env[variantVariable] = JSON.stringify(variant);
  const stack = await startLocalStack({ services: [dependency], report: () => undefined });
  const settings = { ...unreachable, ...stack.env, PORT: '0', METRICS_PORT: '0', NODE_ENV: 'production' };
  const env = { ...process.env, ...settings };
  const command = { file: process.execPath, args: ['--import', 'tsx', 'src/main.ts'], cwd: checkoutDir, env };
  const service = await OwnedProcess.start(command, ['ignore', 'pipe', 'ignore']);
  const limit = setTimeout(() => void service.kill(), timeoutMs);
  try {
    if (service.stdout === null) throw new Error('the service was started without a pipe');
    let url = '';
    for await (const line of createInterface({ input: service.stdout })) {
      const entry = JSON.parse(line) as { port?: number; dependency?: string; hint?: string };
      if (entry.port !== undefined) url = `http://127.0.0.1:${entry.port}/api/health/ready`;
      if (entry.dependency !== dependency || entry.hint === undefined) continue;
      return (await fetch(url)).status === 503 ? entry.hint : undefined;
    }
    return undefined;
  } finally {
    clearTimeout(limit);
    await Promise.all([service.kill(), stack.kill()]);
  }
}
