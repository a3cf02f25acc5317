import { Liveness } from '../../src/runtime/liveness';
import { startService, startUnready, type TestService } from '../support/harness';
import { eventually } from '../support/eventually';
import { UNREACHABLE } from '../support/test-servers';

describe('health', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService({ RATE_LIMIT_MAX: '1' });
  });
  it('GET /api/health answers as in the README', async () => {
    const response = await eventually(() => service.http.get('/api/health').expect(200));

    expect(response.body).toEqual({
      uptime: expect.any(Number),
      message: 'OK',
      timestamp: expect.any(Number),
      services: { redis: 'healthy', postgres: 'healthy', kafka: 'healthy' },
    });
    expect(Object.keys(response.body as object)).toEqual(['uptime', 'message', 'timestamp', 'services']);
  });

  it('GET /api/health/live and /ready answer as in the README', async () => {
    const live = await service.http.get('/api/health/live').expect(200);
    const ready = await service.http.get('/api/health/ready').expect(200);

    expect(live.body).toEqual({ status: 'alive' });
    expect(ready.body).toEqual({ status: 'ready' });
  });

  it('GET /api/health/live answers 503 when the consumer has been silent for too long', async () => {
    const isAlive = jest.spyOn(Liveness.prototype, 'isAlive', 'get').mockReturnValue(false);

    const live = await service.http.get('/api/health/live');

    isAlive.mockRestore();
    expect([live.status, live.body]).toEqual([503, { status: 'not alive' }]);
  });

  it('probes are not rate-limited and not logged at info', async () => {
    const requestLines = (): number =>
      service.log.lines.filter(({ level, message }) => level !== 'debug' && message === 'request').length;
    const before = requestLines();

    for (let probe = 0; probe < 20; probe += 1) await service.http.get('/api/health/live').expect(200);

    expect(requestLines()).toBe(before);
  });
});

describe('a service whose dependencies are all unavailable', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startUnready(UNREACHABLE);
  });
  it('starts and is alive, but not ready', async () => {
    const live = await service.http.get('/api/health/live').expect(200);
    const ready = await service.http.get('/api/health/ready').expect(503);

    expect(live.body).toEqual({ status: 'alive' });
    expect(ready.body).toEqual({ status: 'not ready' });
  });

  it('names them all unhealthy', async () => {
    const response = await service.http.get('/api/health').expect(503);

    expect(response.body).toMatchObject({
      message: 'Degraded',
      services: { redis: 'unhealthy', postgres: 'unhealthy', kafka: 'unhealthy' },
    });
  });

  it.each(['/api/users', '/api/users/john@example.com'])(
    'answers GET %s with 503 and Retry-After',
    async (path) => {
      const response = await service.http.get(path).expect(503);

      expect(response.body).toEqual({
        success: false,
        error: 'Service temporarily unavailable, please retry',
      });
      expect(response.headers['retry-after']).toBe('2');
    },
  );
});
