import type { DevSettings } from './dev-settings';

/** The last lines of `npm run dev`: the addresses, and what to do next. `signUp` is the page's, or why there is none. */
export function announcement(
  { port, metricsPort, rateLimitMax }: Pick<DevSettings, 'port' | 'metricsPort' | 'rateLimitMax'>,
  signUp: string,
): string {
  const api = `http://localhost:${port}/api`;
  return [
    '',
    `  Sign-up  ${signUp}`,
    `  API      ${api}/users`,
    `  Docs     ${api}/docs`,
    `  Health   ${api}/health`,
    `  Metrics  http://localhost:${metricsPort}/metrics`,
    `  Limit    ${rateLimitMax} requests per address and window (RATE_LIMIT_MAX)`,
    '  Users    npm run seed -- --users 10000   (in another terminal)',
    '  Stop     Ctrl-C',
    '',
  ].join('\n');
}
