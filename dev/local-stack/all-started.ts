import type { LocalServer } from './local-server';

/** Waits for servers that start side by side; if one fails, the others are killed and its error is the answer. */
export async function allStarted(starts: readonly Promise<LocalServer>[]): Promise<readonly LocalServer[]> {
  const results = await Promise.allSettled(starts);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return started;

  await Promise.all(started.map((server) => server.kill()));
  throw failed.reason;
}
