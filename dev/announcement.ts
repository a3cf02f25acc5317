import type { DevSettings } from './dev-settings';

/** The last lines of `npm run dev`: the addresses, and what to do next. */
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
