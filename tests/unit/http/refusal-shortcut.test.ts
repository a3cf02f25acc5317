import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { RefusalShortcut } from '../../../src/http/refusal-shortcut';
import { WaitingRefusals } from '../../../src/http/waiting-refusals';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('RefusalShortcut', () => {
  it('leaves a client that does not take its answers to the parser, and to the limits that apply there', async () => {
    const parsed: string[] = [];
    const server = createServer(({ url = '' }, res) => {
      parsed.push(url);
      res.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(client, 'data');
    const waiting = new WaitingRefusals();
    const shortcut = RefusalShortcut.install({
      socket,
      refusal: { answer: () => undefined, write: (to) => to.write('refused') },
      waiting,
      isRefused: () => true,
      isIdle: () => true,
    });
    client.write(GET);
    await once(socket, 'data');
    expect(parsed).toEqual(['/first']);

    socket.cork();
    waiting.release(1);
    client.write(GET);
    await once(server, 'request');

    expect(parsed).toEqual(['/first', '/']);
    expect(shortcut?.isActive).toBe(false);
    client.destroy();
    server.close();
  });
});
