import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';

const ALLOWED = ['user', 'database', 'application_name', 'client_encoding'];

/**
 * Listens in front of PostgreSQL as a pooler with its defaults does: a start-up message with any other parameter is answered
 * by a protocol violation.
 */
export async function startStrictPooler(
  host: string,
  port: number,
): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (startup: Buffer) => {
      const unsupported = parametersOf(startup).filter((name) => !ALLOWED.includes(name));
      if (unsupported.length > 0) {
        socket.end(errorResponse('08P01', `unsupported startup parameter: ${unsupported.join()}`));
        return;
      }
      const upstream = connect(port, host);
      upstream.on('error', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
      upstream.write(startup);
      socket.pipe(upstream).pipe(socket);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

/** Length and protocol version, four bytes each, then names and values, each with a NUL at its end. */
function parametersOf(startup: Buffer): string[] {
  const words = startup.subarray(8).toString().split('\0');
  return words.filter((word, index) => index % 2 === 0 && word !== '');
}

function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
