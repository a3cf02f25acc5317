import { announcement } from '../../../dev/announcement';
import { scripts } from '../../../package.json';

describe('the last lines of npm run dev', () => {
  it('say where everything is, what to do next, and how to stop', () => {
    const settings = { port: 8123, metricsPort: 9123, rateLimitMax: '4711' };

    const text = announcement(settings, 'http://localhost:5173');

    expect(text.match(/http\S+/g)).toEqual([
      'http://localhost:5173',
      'http://localhost:8123/api/users',
      'http://localhost:8123/api/docs',
      'http://localhost:8123/api/health',
      'http://localhost:9123/metrics',
    ]);
    expect(text).toMatch(/4711 requests.*RATE_LIMIT_MAX/);
    expect(text).toContain('npm run seed');
    expect(scripts).toHaveProperty('seed');
    expect(text).toContain('Ctrl-C');
  });
});
