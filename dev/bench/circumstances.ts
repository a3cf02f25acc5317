import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { sql, withRedis, type Env } from '../../tests/support/test-servers';
import { checkoutDir } from '../local-stack/paths';
import { findWrk } from './run-wrk';

/** Date, machine and versions of a run. */
export async function describeCircumstances(servers: Env): Promise<Record<string, string | number>> {
  const [postgres] = await sql(servers, 'SHOW server_version');
  const redis = await withRedis(servers, (client) => client.info('server'));
  const pom = await readFile(join(checkoutDir, 'dev', 'pom.xml'), 'utf8');
  return {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    postgres: String(postgres?.['server_version']),
    redis: /redis_version:(\S+)/.exec(redis)?.[1] ?? 'unknown',
    kafka: /<kafka\.version>([^<]+)/.exec(pom)?.[1] ?? 'unknown',
    load: (await findWrk()) ?? 'autocannon',
  };
}
