import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import type { ServiceName } from './local-stack/local-stack';
import { LocalStackError } from './local-stack/local-stack-error';
import { DataClaim } from './local-stack/data-claim';
import { checkoutDir, localDir } from './local-stack/paths';

/** The settings of `npm run dev`, from the environment and `.env`. */
export interface DevSettings {
  readonly port: number;
  readonly metricsPort: number;
  readonly database: string;
  /** RATE_LIMIT_MAX of the service: without one, nobody has to wait here. */
  readonly rateLimitMax: string;
  /** The origins whose pages may call the service. */
  readonly frontendOrigins: readonly string[];
  /** The servers without an address in either. */
  readonly missing: readonly ServiceName[];
}

/** Where the servers of `npm run dev` keep their data. */
export const devDataDir = join(localDir, 'data');

const locations: Readonly<Record<ServiceName, string>> = {
  postgres: 'DB_HOST',
  redis: 'REDIS_URL',
  kafka: 'KAFKA_BROKERS',
};

/** Reads `.env` and `environment`, which wins, as in the service itself; an empty value counts as none. */
export function loadDevSettings(environment: NodeJS.ProcessEnv): DevSettings {
  const env = withDotEnv(environment);
  return {
    port: readPort(env, 'PORT', 8000),
    metricsPort: readPort(env, 'METRICS_PORT', 9464),
    database: env['DB_NAME'] || 'userdb',
    rateLimitMax: env['RATE_LIMIT_MAX'] || '100000',
    frontendOrigins: (env['FRONTEND_URL'] || 'http://localhost:5173')
      .split(',')
      .map((url) => url.trim().replace(/\/$/, '')),
    missing: missingServers(env),
  };
}

/**
 * The variables by which a program finds the servers that now run on `dataDir`, except those that `env` sets. None while
 * there are no such servers.
 */
export async function findDevServers(
  env: NodeJS.ProcessEnv,
  dataDir: string,
): Promise<Record<string, string>> {
  const missing = missingServers(env).map((name) => locations[name]);
  const running = await DataClaim.serversIn(dataDir);
  const wanted = running.filter((server) => missing.some((location) => location in server.env));
  return Object.assign({}, ...wanted.map((server) => server.env)) as Record<string, string>;
}

function withDotEnv(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const file = join(checkoutDir, '.env');
  return { ...(existsSync(file) && parse(readFileSync(file))), ...environment };
}

function missingServers(env: NodeJS.ProcessEnv): ServiceName[] {
  const isMissing = (name: ServiceName): boolean => !env[locations[name]] && !env[`${locations[name]}_FILE`];
  return (['postgres', 'redis', 'kafka'] as const).filter(isMissing);
}

function readPort(env: NodeJS.ProcessEnv, name: string, byDefault: number): number {
  const port = Number(env[name] || byDefault);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new LocalStackError(`${name} must be a number from 1 to 65535, not "${env[name] ?? ''}"`);
}
