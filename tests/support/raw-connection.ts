import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { checkUnread } from './watch-responses';

/** A TCP connection to the service that sends bytes as they are and keeps what comes back. */
export class RawConnection {
  received = '';
  /** Both sides are done, or the service cut it. */
  readonly closed: Promise<void>;
  private readonly timers: NodeJS.Timeout[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (data) => (this.received += data.toString()));
    socket.on('error', () => undefined); // A cut connection: 'close' follows.
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.answers.forEach(checkUnread);
        this.timers.forEach((timer) => clearInterval(timer));
        resolve();
      }),
    );
  }

  /** Resolves when it is connected. What the test does not close is closed by the service's stop. */
  static async open(url: string, options: { readonly allowHalfOpen?: boolean } = {}): Promise<RawConnection> {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ...options });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** Sends `text` and waits for the end of the connection; what came back. */
  static async exchange(url: string, text: string | Buffer): Promise<RawConnection> {
    const connection = await RawConnection.open(url);
    connection.send(text);
    await connection.closed;
    return connection;
  }

  send(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** Sends `text` every 20 ms for as long as the connection lives. */
  trickle(text: string): void {
    this.timers.push(setInterval(() => this.send(text), 20));
  }

  /** Each answer, in order; the names of headers in lower case. */
  get answers(): Parameters<typeof checkUnread>[0][] {
    return this.received
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .filter(Boolean)
      .map((answer) => {
        const [head = '', ...body] = answer.split('\r\n\r\n');
        const [line = '', ...fields] = head.split('\r\n');
        const headers = Object.fromEntries(
          fields.map((field) => [field.split(':')[0]?.toLowerCase(), field.replace(/^[^:]*: */, '')]),
        );
        return { status: Number(line.split(' ')[1]), headers, body: body.join('\r\n\r\n') };
      });
  }

  /** The status of each answer, in order. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  }

  /** The last answer's body. */
  get body(): unknown {
    return JSON.parse(this.received.slice(this.received.lastIndexOf('\r\n\r\n'))) as unknown;
  }
}
