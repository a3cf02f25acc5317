import { LoadShedder } from '../../../src/http/load-shedder';
import { eventually } from '../../support/eventually';
import { RecordingLogger } from '../../support/recording-logger';

const WINDOW_MS = 50;
const BUSY = 1;
const BURST = 2000;

/** A shedder that has completed `perWindow` requests in each of many windows. */
function steady(perWindow: number, utilization: number) {
  const log = new RecordingLogger();
  const shedder = new LoadShedder(log);
  for (let window = 0; window < 200; window += 1) pass(shedder, perWindow, utilization);
  return { shedder, log };
}

function pass(shedder: LoadShedder, completed: number, utilization: number): void {
  for (let nth = 0; nth < completed; nth += 1) {
    shedder.tryAdmit();
    shedder.complete();
  }
  shedder.observe(utilization, WINDOW_MS);
}

/** How many requests it admits at a time, of at most 9999. */
function admitted(shedder: LoadShedder): number {
  let count = 0;
  while (count < 9999 && shedder.tryAdmit()) count += 1;
  return count;
}

describe('LoadShedder', () => {
  it('admits everything while the event loop has time to rest, however much waits for a dependency', () => {
    const { shedder } = steady(10, 0.9);

    expect(admitted(shedder)).toBe(9999);
  });

  it('admits what is completed in 100 ms while the event loop never rests, and once a burst', () => {
    const { shedder } = steady(200, BUSY);

    expect(admitted(shedder)).toBe(400 + BURST);
    for (let nth = 0; nth < BURST; nth += 1) shedder.complete();
    expect(admitted(shedder)).toBe(0);
    for (let nth = 0; nth < 400; nth += 1) shedder.complete();
    expect(admitted(shedder)).toBe(400);
  });

  it('admits a crowd of 2,000 after silence, however slowly it completes them', () => {
    const shedder = new LoadShedder(new RecordingLogger());
    let count = 0;
    for (let window = 0; window < 20; window += 1) {
      for (let nth = 0; nth < 100; nth += 1) count += Number(shedder.tryAdmit());
      shedder.observe(BUSY, WINDOW_MS);
    }

    expect(count).toBe(2000);
  });

  it('restores the burst by rest', () => {
    const { shedder } = steady(0, BUSY);
    const before = admitted(shedder);
    for (let nth = 0; nth < before; nth += 1) shedder.complete();
    for (let window = 0; window < 25; window += 1) shedder.observe(0.5, WINDOW_MS);
    for (let window = 0; window < 100; window += 1) shedder.observe(BUSY, WINDOW_MS);

    expect(before).toBe(100 + BURST);
    expect(admitted(shedder)).toBe(100 + BURST);
  });

  it('takes one busy window for a pause of the garbage collector', () => {
    const { shedder } = steady(200, 0.5);

    pass(shedder, 0, BUSY);
    expect(shedder.isOverloaded).toBe(false);

    pass(shedder, 0, BUSY);
    expect(shedder.isOverloaded).toBe(true);
  });

  it('is no longer overloaded when the event loop has rested in five windows in a row', () => {
    const { shedder } = steady(200, BUSY);

    for (let window = 0; window < 4; window += 1) pass(shedder, 200, 0.8);
    pass(shedder, 200, BUSY);
    for (let window = 0; window < 4; window += 1) pass(shedder, 200, 0.8);
    expect(shedder.isOverloaded).toBe(true);

    pass(shedder, 200, 0.8);
    expect(shedder.isOverloaded).toBe(false);
  });

  it('restores no burst while the overload lasts', () => {
    const { shedder } = steady(0, BUSY);
    admitted(shedder);

    for (let window = 0; window < 25; window += 1) shedder.observe(BUSY, WINDOW_MS);

    expect(admitted(shedder)).toBe(0);
  });
});

describe('a parked request', () => {
  /** What becomes of it. */
  function park(shedder: LoadShedder) {
    const outcome: string[] = [];
    const leave = shedder.park(
      () => outcome.push('admitted'),
      () => outcome.push('shed'),
    );
    return { outcome, leave };
  }

  it('is shed while the overload lasts; the log says how many, not each time', async () => {
    const { shedder, log } = steady(200, BUSY);
    const parked = [park(shedder), park(shedder)];
    await eventually(() => expect(parked.map(({ outcome }) => outcome)).toEqual([['shed'], ['shed']]));

    pass(shedder, 200, BUSY);
    pass(shedder, 200, BUSY);

    expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([
      expect.objectContaining({ message: 'overloaded, shedding requests', shed: 2, limit: 400 }),
    ]);
    expect(performance.now() - shedder.lastShedAt).toBeLessThan(10_000);
  });

  it('is admitted when the overload is over', async () => {
    const { shedder } = steady(200, BUSY);
    const { outcome } = park(shedder);

    for (let window = 0; window < 5; window += 1) pass(shedder, 200, 0.5);

    await eventually(() => expect(outcome).toEqual(['admitted']));
    expect(shedder.lastShedAt).toBe(-Infinity);
  });

  it('is forgotten when its client leaves', async () => {
    const { shedder } = steady(200, BUSY);
    const left = park(shedder);
    left.leave();
    const other = park(shedder);

    await eventually(() => expect(other.outcome).toEqual(['shed']));

    expect(left.outcome).toEqual([]);
  });
});
