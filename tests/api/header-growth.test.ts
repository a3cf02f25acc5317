import type { TestService } from '../support/harness';
import { KEY, startHeaderReader } from '../support/header-readers';
import { send } from '../support/raw-http';

let service: TestService;

beforeAll(async () => {
  service = await startHeaderReader();
});

describe('the time a request takes', () => {
  const SHORT = 1500;
  const LONG = 8 * SHORT;
  // Eight times the length in eight times the time would be linear; quadratic time would be 64 times.
  const MAX_RATIO = 24;

  /** Where a header is read, what else is sent, and the answer. */
  interface Reader {
    readonly options: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> };
    readonly body?: string;
    readonly status: number;
  }
  const read = { options: { headers: { Authorization: `Bearer ${KEY}` } }, status: 200 };
  const readWithoutKey = { options: {}, status: 401 };
  const post = { options: { method: 'POST' }, body: '{}' };
  const postOfJson = { ...post, status: 400 }; // The parser takes it; it is no registration.
  const preflight = {
    options: { method: 'OPTIONS', headers: { Origin: 'http://localhost:5173' } },
    status: 204,
  };
  const postOfOther = { ...post, status: 415 };

  /** The fastest of several, in ms: what others do on the machine only adds. */
  async function fastest({ options, body, status }: Reader, name: string, value: string): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < 15; round += 1) {
      const headers = { ...options.headers, [name]: value };
      const startedAt = performance.now();
      const answer = await send(`${service.url}/api/users`, { ...options, headers }, body);
      times.push(performance.now() - startedAt);
      expect(answer.status).toBe(status);
    }
    return Math.min(...times);
  }

  const repeated: readonly (readonly [string, string, string, string, Reader])[] = [
    ['Accept', '', 'text/html;q=0.1,', '*', read],
    ['Accept', '', ';'.repeat(8), 'a', read],
    ['Accept-Encoding', '', 'gzip,', 'x', read],
    ['Content-Type', '', 'application/json;a="\\', '', postOfJson],
    ['Content-Type', '', '; charset=utf-8', '', postOfOther],
    ['Content-Type', 'application/json', '; charset=utf-8', '', postOfJson],
    ['Content-Type', 'application/json', '; charset=utf8', '', postOfJson],
    ['Content-Type', 'application/json;', ' ', '', postOfJson],
    ['Content-Type', 'application/json; a="', '\\a', '"', postOfJson],
    ['Content-Type', 'application/json; charset=', 'a', '', postOfOther],
    ['Content-Type', 'application/json', ' ', 'x', postOfOther],
    ['Authorization', '', 'Bearer ', '', readWithoutKey],
    ['Authorization', 'Bearer', ' ', 'x', readWithoutKey],
    ['Authorization', 'Bearer', ' ', 'x y', readWithoutKey],
    ['Authorization', 'Bearer ', 'x', ' ,', readWithoutKey],
    ['Origin', '', 'http://a', '', read],
    ['X-Forwarded-For', '', '1.1.1.1, ', '1', read],
    ['X-Forwarded-For', '', '[]:1', '', read],
    ['X-Forwarded-For', '[', '1.', ']:', read],
    ['X-Request-Id', '', 'a.', '!', read],
    ['Cookie', '', 'a=b; ', '', read],
    ['Access-Control-Request-Headers', '', 'x, ', '', preflight],
    ['If-None-Match', '', 'W/"a", ', '', read],
  ];

  it.each(repeated)(
    'grows no faster than the header: %s of %j and many %j, then %j',
    async (name, start, part, end, reader) => {
      const value = (length: number): string => start + part.repeat(length / part.length) + end;

      const short = await fastest(reader, name, value(SHORT));
      const long = await fastest(reader, name, value(LONG));

      expect(long / short).toBeLessThan(MAX_RATIO);
    },
  );
});
