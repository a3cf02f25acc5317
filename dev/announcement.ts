import type { DevSettings } from './dev-settings';

/** What `npm run dev` says when all runs: where everything is, and what to do next. */
export function announcement({ port, metricsPort }: Pick<DevSettings, 'port' | 'metricsPort'>): string {
  const api = `http://localhost:${port}/api`;
  return [
    '',
    `  API      ${api}/users`,
    `  Docs     ${api}/docs`,
    `  Health   ${api}/health`,
    `  Metrics  http://localhost:${metricsPort}/metrics`,
    '  Users    npm run seed -- --users 10000   (in another terminal)',
    '  Stop     Ctrl-C',
    '',
  ].join('\n');
}
