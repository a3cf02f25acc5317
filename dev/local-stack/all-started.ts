/** Waits for servers that start in parallel; if one fails, kills the others and rejects with its error. */
export async function allStarted<T extends { kill(): Promise<void> }>(
  starts: readonly Promise<T>[],
): Promise<readonly T[]> {
  const results = await Promise.allSettled(starts);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return started;

  await Promise.all(started.map((server) => server.kill()));
  throw failed.reason;
}
