import { setTimeout as sleep } from 'node:timers/promises';
import type { Contender } from '../contender';
import { connections, runPacedLoad } from '../run-load';
import { slope } from '../statistics';

const rate = 2000;
const sampleMs = 5000;
/** The first part of the time, in which caches and the JIT still fill. */
const settling = 0.2;

/** Memory under a steady load: at its end, and how it grows. */
export async function measureSoak(contender: Contender, minutes: number): Promise<Record<string, number>> {
  const seconds = minutes * 60;
  const url = `${contender.url}/api/users`;
  const progress = { isOver: false };
  const load = runPacedLoad({ url, seconds, connections, rate, emailPrefix: 'soak' }).finally(() => {
    progress.isOver = true;
  });
  const samples: [minute: number, rssMb: number][] = [];
  const startedAt = performance.now();
  while (!progress.isOver) {
    const minute = (performance.now() - startedAt) / 60_000;
    if (minute >= minutes * settling) samples.push([minute, contender.rssMb]);
    await sleep(sampleMs);
  }
  await load;
  return {
    'soak: memory at the end, MB': contender.rssMb,
    'soak: growth of memory, MB/min': slope(samples),
    'soak: growth in the second half, MB/min': slope(samples.filter(([minute]) => minute >= minutes / 2)),
  };
}
