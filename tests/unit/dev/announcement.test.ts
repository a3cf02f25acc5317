import { announcement } from '../../../dev/announcement';
import { scripts } from '../../../package.json';

describe('the last lines of npm run dev', () => {
  it('say where everything is, what to do next, and how to stop', () => {
    const text = announcement({ port: 8123, metricsPort: 9123 });

    expect(text.match(/http\S+/g)).toEqual([
      'http://localhost:8123/api/users',
      'http://localhost:8123/api/docs',
      'http://localhost:8123/api/health',
      'http://localhost:9123/metrics',
    ]);
    expect(text).toContain('npm run seed');
    expect(scripts).toHaveProperty('seed');
    expect(text).toContain('Ctrl-C');
  });
});
