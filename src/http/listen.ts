import type { Server } from 'node:http';

// Node's 511 are too few for the moment in which all clients come at once: the kernel drops the others, and they wait
// seconds for their next try. The kernel caps it (net.core.somaxconn).
const BACKLOG = 4096;

/** Resolves when the server listens; rejects when the port cannot be listened on. */
export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
