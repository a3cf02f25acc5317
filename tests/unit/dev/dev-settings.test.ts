import { loadDevSettings } from '../../../dev/dev-settings';

// Empty values count as none, and hide those of a developer's .env.
const NOTHING = { PORT: '', RATE_LIMIT_MAX: '', FRONTEND_URL: '' };

describe('the settings of npm run dev', () => {
  it('ask nobody to wait, unless a rate limit is given', () => {
    const limitOf = (env: NodeJS.ProcessEnv): string => loadDevSettings({ ...NOTHING, ...env }).rateLimitMax;

    expect(limitOf({})).toBe('100000');
    expect(limitOf({ RATE_LIMIT_MAX: '7' })).toBe('7');
  });

  it('know the origins that may call the service', () => {
    const originsOf = (env: NodeJS.ProcessEnv): readonly string[] =>
      loadDevSettings({ ...NOTHING, ...env }).frontendOrigins;

    expect(originsOf({})).toEqual(['http://localhost:5173']);
    expect(originsOf({ FRONTEND_URL: 'http://localhost:3000/, http://a.test' })).toEqual([
      'http://localhost:3000',
      'http://a.test',
    ]);
  });
});
