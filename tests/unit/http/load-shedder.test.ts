import { LoadShedder } from '../../../src/http/load-shedder';
import { HTTP_LIMITS } from '../../../src/http/limits';
import { eventually } from '../../support/eventually';
import { RecordingLogger } from '../../support/recording-logger';

const WINDOW_MS = 50;
const BUSY = 1;

/** A shedder that has finished so many requests in each of many windows. */
function steady(perWindow: number, utilization: number) {
  const log = new RecordingLogger();
  const released: number[] = [];
  const shedder = new LoadShedder({ waiting: { release: (count) => released.push(count) }, log });
  for (let window = 0; window < 200; window += 1) pass(shedder, perWindow, utilization);
  return { shedder, log, released };
}

function pass(shedder: LoadShedder, finished: number, utilization: number): void {
  for (let nth = 0; nth < finished; nth += 1) shedder.answered();
  shedder.observe(utilization, WINDOW_MS);
}

describe('LoadShedder', () => {
  it('lets everything in while the event loop has time to rest, however much waits for a dependency', () => {
    const { shedder } = steady(10, 0.9);

    expect(shedder.isFull(9999)).toBe(false);
  });

  it('lets in what is done in 100 ms while the event loop never rests', () => {
    const { shedder } = steady(200, BUSY);

    expect(shedder.isFull(399)).toBe(false);
    expect(shedder.isFull(400)).toBe(true);
  });

  it('lets a hundred in whatever it has finished so far', () => {
    const { shedder } = steady(0, BUSY);

    expect(shedder.isFull(99)).toBe(false);
    expect(shedder.isFull(100)).toBe(true);
  });

  it('takes one busy window for a pause of the garbage collector', () => {
    const { shedder } = steady(200, 0.5);

    pass(shedder, 0, BUSY);
    expect(shedder.isFull(9999)).toBe(false);

    pass(shedder, 0, BUSY);
    expect(shedder.isFull(9999)).toBe(true);
  });

  it('lets everything in again as soon as the event loop rests', () => {
    const { shedder } = steady(200, BUSY);

    pass(shedder, 200, 0.8);

    expect(shedder.isFull(9999)).toBe(false);
  });

  it('lets two refusals out for each request that it finishes', () => {
    const { shedder, released } = steady(200, BUSY);

    shedder.observe(BUSY, 2 * WINDOW_MS);

    // That window finished nothing: a tenth of it counts.
    expect(released.slice(-2)).toEqual([400, 2 * 360]);
  });

  it('counts the time that refusals take into the window after them', async () => {
    const sendingMs = 10 * WINDOW_MS;
    const released: number[] = [];
    const shedder = new LoadShedder({
      waiting: {
        release: (count) => {
          released.push(count);
          const until = performance.now() + sendingMs;
          while (performance.now() < until);
        },
      },
      log: new RecordingLogger(),
    });

    shedder.start();
    await eventually(() => expect(released.length).toBeGreaterThan(1));
    shedder.stop();

    // A hundred in each 50 ms, when nothing is finished.
    expect(released[1]).toBeGreaterThanOrEqual(1000);
  });

  it('lets refusals out before clients give up, also when all connections wait for one and nothing is finished', () => {
    const { released } = steady(0, BUSY);

    const inFiveSeconds = released.slice(-5000 / WINDOW_MS).reduce((sum, count) => sum + count, 0);
    expect(inFiveSeconds).toBeGreaterThanOrEqual(HTTP_LIMITS.maxConnections);
  });

  it('says in the log how many it refused, not each time', () => {
    const { shedder, log } = steady(200, BUSY);

    for (let nth = 0; nth < 5; nth += 1) shedder.countRefused();
    pass(shedder, 200, BUSY);
    shedder.countRefused();
    pass(shedder, 200, BUSY);

    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({ refused: 5, limit: 400 }),
    ]);
  });
});
