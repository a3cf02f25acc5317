import { Backoff, pause } from '../../../src/runtime/backoff';
import { Lifecycle, type Component } from '../../../src/runtime/lifecycle';
import { withTimeout } from '../../../src/runtime/timeout';
import { RecordingLogger } from '../../support/recording-logger';

const late = (): Error => new Error('late');

describe('withTimeout', () => {
  it('passes on what settles in time', async () => {
    await expect(withTimeout(Promise.resolve(1), 1000, late)).resolves.toBe(1);
    await expect(withTimeout(Promise.reject(new Error('own')), 1000, late)).rejects.toThrow('own');
  });

  it('rejects when time is over', async () => {
    await expect(withTimeout(new Promise(() => undefined), 1, late)).rejects.toThrow('late');
  });

  it('counts an answer as in time that lay unread while the event loop was blocked', async () => {
    const answer = new Promise<string>((resolve) => setImmediate(() => resolve('answer')));
    const waiting = withTimeout(answer, 1, late);

    const until = Date.now() + 20;
    while (Date.now() < until);

    await expect(waiting).resolves.toBe('answer');
  });
});

describe('withTimeout on a process that stands still', () => {
  it('does not count that time: the answer that comes right afterwards is in time', async () => {
    const answer = new Promise<string>((resolve) =>
      setTimeout(() => setTimeout(() => resolve('answer'), 5), 10),
    );
    const waiting = withTimeout(answer, 60, late);

    const until = Date.now() + 100;
    while (Date.now() < until);

    await expect(waiting).resolves.toBe('answer');
  });
});

describe('Backoff', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const waits = async (backoff: Backoff, ms: number): Promise<boolean> => {
    let isOver = false;
    void backoff.wait(new AbortController().signal).then(() => (isOver = true));
    await jest.advanceTimersByTimeAsync(ms);
    const wasOver = isOver;
    await jest.advanceTimersByTimeAsync(100_000);
    return wasOver;
  };

  it('doubles up to its limit, with jitter down to a half, and can be reset', async () => {
    const backoff = new Backoff({ minMs: 100, maxMs: 300 });

    expect(await waits(backoff, 49)).toBe(false);
    expect(await waits(backoff, 99)).toBe(false);
    expect(await waits(backoff, 300)).toBe(true);
    expect(await waits(backoff, 149)).toBe(false);
    expect(await waits(backoff, 300)).toBe(true);
    backoff.reset();
    expect(await waits(backoff, 100)).toBe(true);
  });

  it('ends at once when the signal aborts, before or meanwhile', async () => {
    const controller = new AbortController();
    const waiting = pause(100_000, controller.signal);
    controller.abort();

    await waiting;
    await new Backoff({ minMs: 100_000, maxMs: 100_000 }).wait(controller.signal);
  });

  it('does not ask Node for a negative delay, of which it warns, when the time is over already', async () => {
    const timers = jest.spyOn(global, 'setTimeout');
    const waiting = pause(-5, new AbortController().signal);

    await jest.advanceTimersByTimeAsync(0);
    await waiting;

    expect(timers.mock.calls.map(([, ms]) => ms)).toEqual([0]);
  });
});

describe('Lifecycle', () => {
  function setUp(names: readonly string[]) {
    const events: string[] = [];
    const log = new RecordingLogger();
    const lifecycle = new Lifecycle(log);
    const components = names.map((name): Component => ({
      name,
      stopTimeoutMs: 20,
      start: () => void events.push(`start ${name}`),
      stop: () => void events.push(`stop ${name}`),
    }));
    lifecycle.register(components);
    return { events, log, lifecycle, components };
  }

  it('starts in order and stops in reverse, once', async () => {
    const { events, lifecycle } = setUp(['a', 'b']);

    await lifecycle.start();
    const isStartedBetween = lifecycle.isStarted;
    const verdicts = await Promise.all([lifecycle.stop(1000), lifecycle.stop(1000)]);

    expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a']);
    expect([isStartedBetween, lifecycle.isStarted]).toEqual([true, false]);
    expect(verdicts).toEqual([true, true]);
  });

  it('is not started any more from the moment stop is called', async () => {
    const { lifecycle } = setUp(['a']);
    await lifecycle.start();

    const stopped = lifecycle.stop(1000);

    expect(lifecycle.isStarted).toBe(false);
    await stopped;
  });

  it.each([
    ['fails', () => Promise.reject(new Error('broken'))],
    ['hangs', () => new Promise<void>(() => undefined)],
  ])('goes on with the next when one %s, and reports it', async (_what, stop) => {
    const { events, log, lifecycle } = setUp(['a', 'b', 'c']);
    const components = setUp(['b']).components.map((component) => ({ ...component, stop }));
    lifecycle.register([
      { name: 'a', stopTimeoutMs: 20, stop: () => void events.push('stop a') },
      ...components,
    ]);

    expect(await lifecycle.stop(1000)).toBe(false);
    expect(events).toEqual(['stop a']);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'stop failed', component: 'b' }),
    );
  });

  it('ends at its deadline whatever the components do', async () => {
    const { log, lifecycle } = setUp([]);
    lifecycle.register([
      {
        name: 'slow',
        stopTimeoutMs: 200,
        stop: () => new Promise(() => undefined),
      },
    ]);

    expect(await lifecycle.stop(10)).toBe(false);
    expect(log.lines).toMatchObject([{ level: 'error', message: 'shutdown timed out', timeoutMs: 10 }]);
  });

  it('starts nothing more once it is told to stop', async () => {
    const { events, lifecycle, components } = setUp(['a', 'b']);
    const stopDuringStart: Component = {
      name: 'stopped during its start',
      stopTimeoutMs: 20,
      start: async () => {
        await lifecycle.stop(1000);
      },
      stop: () => undefined,
    };
    lifecycle.register([...components.slice(0, 1), stopDuringStart, ...components.slice(1)]);

    await lifecycle.start();

    expect(events).toEqual(['start a', 'stop b', 'stop a']);
    expect(lifecycle.isStarted).toBe(false);
  });

  it('passes a start failure on', async () => {
    const { lifecycle } = setUp([]);
    lifecycle.register([
      {
        name: 'broken',
        stopTimeoutMs: 20,
        start: () => Promise.reject(new Error('busy')),
        stop: () => undefined,
      },
    ]);

    await expect(lifecycle.start()).rejects.toThrow('busy');
    expect(lifecycle.isStarted).toBe(false);
  });

  it('stays not started when it is stopped while its last component starts', async () => {
    const { lifecycle } = setUp([]);
    const start = (): Promise<void> => lifecycle.stop(1000).then(() => undefined);
    lifecycle.register([{ name: 'last', stopTimeoutMs: 20, start, stop: () => undefined }]);

    await lifecycle.start();

    expect(lifecycle.isStarted).toBe(false);
  });
});
