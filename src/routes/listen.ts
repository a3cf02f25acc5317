import type { Server } from 'node:http';

/** Resolves when the server listens; rejects when the port cannot be listened on. */
export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
