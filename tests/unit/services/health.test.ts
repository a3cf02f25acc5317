import { UnsuitableServerError } from '../../../src/domain/errors';
import { hintFor } from '../../../src/observability/hint';
import { Liveness } from '../../../src/runtime/liveness';
import { DependencyMonitor, DependencyStatus } from '../../../src/services/dependency-monitor';
import { HealthService } from '../../../src/services/health-service';
import { eventually } from '../../support/eventually';
import { RecordingLogger } from '../../support/recording-logger';

function setUp() {
  const redis = new DependencyStatus('redis');
  const postgres = new DependencyStatus('postgres');
  const lifecycle = { isStarted: true };
  const liveness = { isAlive: true };
  const health = new HealthService({ dependencies: [redis, postgres], lifecycle, liveness });
  return { redis, postgres, lifecycle, liveness, health };
}

describe('HealthService', () => {
  it('is ready when started and each dependency was reached once, through later outages too', () => {
    const { redis, postgres, health } = setUp();
    expect(health.isReady()).toBe(false);
    redis.update(true);
    expect(health.isReady()).toBe(false);
    postgres.update(true);
    expect(health.isReady()).toBe(true);

    [redis, postgres].forEach((status) => status.update(false));

    expect(health.isReady()).toBe(true);
  });

  it('is not ready with a dependency that could only do a part of its work so far', () => {
    const { redis, postgres, health } = setUp();
    redis.update(true);

    postgres.update(false, true);

    expect(health.isReady()).toBe(false);
    expect(health.report().services).toEqual({ redis: 'healthy', postgres: 'unhealthy' });
  });

  it('is not ready once it is stopping', () => {
    const { redis, postgres, lifecycle, health } = setUp();
    [redis, postgres].forEach((status) => status.update(true));

    lifecycle.isStarted = false;

    expect(health.isReady()).toBe(false);
  });
});

describe('Liveness', () => {
  afterEach(() => jest.useRealTimers());

  it('ends 60 s after the last tick', () => {
    jest.useFakeTimers();
    const liveness = new Liveness(true);
    jest.advanceTimersByTime(59_000);
    liveness.tick();
    jest.advanceTimersByTime(59_999);
    expect(liveness.isAlive).toBe(true);

    jest.advanceTimersByTime(1);

    expect(liveness.isAlive).toBe(false);
  });

  it('does not end where there is no loop to watch', () => {
    jest.useFakeTimers();
    const liveness = new Liveness(false);

    jest.advanceTimersByTime(3_600_000);

    expect(liveness.isAlive).toBe(true);
    expect(liveness.silenceMs).toBe(0);
  });
});

describe('DependencyMonitor', () => {
  type Check = () => Promise<void>;
  const fail = (message: string): Promise<void> => Promise.reject(new Error(message));

  function monitor(...checks: [DependencyStatus, Check][]) {
    const log = new RecordingLogger();
    const running = new DependencyMonitor({
      intervalMs: 1,
      hintFor,
      log,
      checks: checks.map(([status, check]) => ({ status, timeoutMs: 5, check })),
    });
    running.start();
    return { log, stop: () => running.stop() };
  }

  it('follows each dependency by itself, logs only changes, and stops', async () => {
    const [good, bad] = [new DependencyStatus('redis'), new DependencyStatus('postgres')];
    const silent = new DependencyStatus('kafka');
    let checks = 0;
    const { log, stop } = monitor(
      [good, () => Promise.resolve(void (checks += 1))],
      [bad, () => fail('refused')],
      [silent, () => new Promise(() => undefined)],
    );

    await eventually(() => expect(checks).toBeGreaterThan(5));
    await eventually(() => expect(silent.isUnavailable).toBe(true));
    stop();

    expect([good.isHealthy, good.isUnavailable]).toEqual([true, false]);
    expect([bad.isHealthy, bad.isUnavailable]).toEqual([false, true]);
    expect(log.lines.map(({ level, dependency }) => [level, dependency]).sort()).toEqual([
      ['info', 'kafka'],
      ['info', 'postgres'],
      ['info', 'redis'],
    ]);
  });

  it('logs again when a hint becomes known for one that stays unavailable, and only then', async () => {
    const errors = ['ECONNREFUSED', 'WRONGPASS', 'WRONGPASS', 'ECONNREFUSED', 'WRONGPASS'];
    let checks = 0;
    const { log, stop } = monitor([
      new DependencyStatus('redis'),
      () => fail(errors[checks++] ?? 'WRONGPASS'),
    ]);

    await eventually(() => expect(checks).toBeGreaterThan(errors.length));
    stop();

    expect(log.lines.map(({ level, message, hint }) => [level, message, hint])).toEqual([
      ['info', 'waiting for dependency', undefined],
      ['warn', 'waiting for dependency', 'the server rejects the user and password in REDIS_URL'],
    ]);
  });

  it('begins when a check is due; until then nothing is known, and nothing is said', async () => {
    const status = new DependencyStatus('postgres');
    let isDue = false;
    const check = jest.fn(() => Promise.resolve());
    const log = new RecordingLogger();
    const running = new DependencyMonitor({
      intervalMs: 1,
      hintFor,
      log,
      checks: [{ status, timeoutMs: 50, check, isDue: () => isDue }],
    });
    running.start();
    await new Promise((resolve) => setImmediate(resolve));
    expect([check.mock.calls.length, status.isHealthy, status.isUnavailable]).toEqual([0, false, false]);

    isDue = true;
    await eventually(() => expect(status.isHealthy).toBe(true));

    running.stop();
    expect(log.lines.map(({ message }) => message)).toEqual(['dependency is healthy']);
  });

  it('tells what can do a part of its work from what is unavailable, and logs each change', async () => {
    const status = new DependencyStatus('postgres');
    const error = new UnsuitableServerError('GRANT it');
    let isUsable = true;
    const seen: unknown[] = [];
    const log = new RecordingLogger();
    const running = new DependencyMonitor({
      intervalMs: 1,
      hintFor,
      log,
      checks: [
        {
          status,
          timeoutMs: 50,
          check: () => Promise.reject(error),
          isUsable: (reason) => Promise.resolve(void seen.push(reason)).then(() => isUsable),
        },
      ],
    });
    running.start();
    await eventually(() => expect(seen).toContain(error));
    expect([status.isHealthy, status.isUnavailable, status.wasReached]).toEqual([false, false, false]);

    isUsable = false;
    await eventually(() => expect(status.isUnavailable).toBe(true));

    running.stop();
    expect(log.lines).toMatchObject([
      { level: 'warn', message: 'waiting for dependency', hint: 'GRANT it' },
      { level: 'warn', message: 'waiting for dependency', hint: 'GRANT it' },
    ]);
  });

  it('warns when a dependency that was there becomes unavailable', async () => {
    const status = new DependencyStatus('redis');
    let isThere = true;
    const { log, stop } = monitor([status, () => (isThere ? Promise.resolve() : fail('refused'))]);
    await eventually(() => expect(status.isHealthy).toBe(true));

    isThere = false;
    await eventually(() => expect(status.isUnavailable).toBe(true));
    stop();

    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['info', 'dependency is healthy'],
      ['warn', 'dependency unavailable'],
    ]);
  });
});
