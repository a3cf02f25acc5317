import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { CommonHeaders, linesOf } from './common-headers';
import { HTTP_LIMITS } from './limits';
import { chooseRequestId } from './middleware/request-id';
import type { MeasureRequest } from './middleware/request-log';
import type { UnparsedRequest } from './unparsed-request';

const BODY = JSON.stringify({ success: false, error: 'Service temporarily unavailable, please retry' });
const OWN = ['Content-Length', String(Buffer.byteLength(BODY)), 'Retry-After', '2'];
const KEEP_ALIVE = [
  'Connection',
  'keep-alive',
  'Keep-Alive',
  `timeout=${HTTP_LIMITS.keepAliveTimeoutMs / 1000}`,
];
/** What stands in the metric for a route that was not looked for. */
const ROUTE = 'refused';

/**
 * Answers 503 with what every answer carries, past Express and without a line in the log: refusing has to be many times
 * cheaper than the work, or it would leave no time for any.
 */
export interface Refusal {
  readonly answer: RequestListener;
  /** The same answer to a request that Node has not parsed. */
  readonly write: (socket: Socket, request: UnparsedRequest) => void;
}

export function createRefusal(allowedOrigins: readonly string[], measure: MeasureRequest): Refusal {
  const headers = new CommonHeaders(allowedOrigins, (common) => [...common, ...OWN]);
  const heads = new CommonHeaders(allowedOrigins, (common) =>
    ['HTTP/1.1 503 Service Unavailable', ...linesOf([...common, ...OWN, ...KEEP_ALIVE])].join('\r\n'),
  );
  return {
    answer: (req, res) => {
      const { origin, 'x-request-id': given } = req.headers;
      res.writeHead(503, [...headers.for(origin), 'X-Request-Id', chooseRequestId(given)]);
      res.end(BODY);
      measure(req.method ?? '', ROUTE, 503, 0);
    },
    write: (socket, { method, origin, requestId }) => {
      const own = `Date: ${httpDate()}\r\nX-Request-Id: ${chooseRequestId(requestId)}`;
      socket.write(`${heads.for(origin)}\r\n${own}\r\n\r\n${BODY}`, 'latin1');
      measure(method, ROUTE, 503, 0);
    },
  };
}

let second = 0;
let date = '';

/** Now. Made once a second. */
function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date().toUTCString();
  }
  return date;
}
