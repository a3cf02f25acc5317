import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { resetSocket } from '../../../src/http/connections';

let server: Server;
let client: Socket;
let socket: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  [socket] = (await once(server, 'connection')) as [Socket];
});

afterEach(() => {
  client.destroy();
  server.close();
});

describe('resetSocket', () => {
  it('resets an open connection', async () => {
    const error = once(client, 'error');

    resetSocket(socket);

    await once(socket, 'close');
    expect(await error).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  it.each<[string, () => unknown]>([
    [
      'whose other side does not read',
      () => client.pause() === client && socket.end(Buffer.alloc(64 * 1024 * 1024)),
    ],
    ['that is being shut down', () => socket.end()],
    ['that has been shut down', () => once(socket.end(), 'finish')],
  ])('closes one %s, too', async (_which, prepare) => {
    await prepare();

    resetSocket(socket);

    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });
});
