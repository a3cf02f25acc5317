import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Random } from '../../../dev/faults/random';
import { askAboutRows, chooseRows } from '../../../dev/faults/stored-emails';
import { buildRegistration } from '../../support/builders';

describe('chooseRows', () => {
  const rows = Array.from({ length: 100 }, (_, nth) =>
    buildRegistration({ email: `user-${nth}@example.com` }),
  );
  const emails = rows.map(({ email }) => email);
  const nothing = { reservedOrPlanted: new Set<string>(), duringFault: new Set<string>() };
  const choose = (suspects: Partial<typeof nothing>, limit: number, seed = 1): string[] =>
    chooseRows(rows, { ...nothing, ...suspects }, new Random(seed), limit).map(({ email }) => email);

  it('takes every row up to the limit', () => {
    expect(choose({}, 100).sort()).toEqual([...emails].sort());
  });

  it('takes a random choice of more, the same one for the same seed', () => {
    const chosen = choose({}, 20);

    expect(new Set(chosen).size).toBe(20);
    expect(choose({}, 20)).toEqual(chosen);
    expect(choose({}, 20, 2)).not.toEqual(chosen);
    expect(chosen).not.toEqual(emails.slice(0, 20));
  });

  it('takes what was requested during the fault first', () => {
    const duringFault = new Set(emails.slice(40, 55));

    expect(choose({ duringFault }, 20)).toEqual(expect.arrayContaining([...duringFault]));
    expect(choose({ duringFault }, 10).every((email) => duringFault.has(email))).toBe(true);
  });

  it('takes every one that is still reserved, however many they are', () => {
    const reservedOrPlanted = new Set(emails.slice(10, 40));

    expect(choose({ reservedOrPlanted }, 20).sort()).toEqual([...reservedOrPlanted].sort());
  });
});

describe('askAboutRows', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('posts the stored fields and other ones, and asks for the status', async () => {
    const requests: string[] = [];
    server = createServer((req, res) => {
      void text(req).then((body) => {
        const { occupation = '' } = JSON.parse(body || '{}') as { occupation?: string };
        requests.push(`${req.method ?? ''} ${req.url ?? ''} ${occupation}`);
        res.writeHead(req.method === 'POST' ? 409 : 200).end(occupation);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const row = buildRegistration({ email: 'stored@example.com', occupation: 'Tester' });

    const [answers] = await askAboutRows([row], [{ url }]);

    expect(requests).toEqual([
      'POST /api/users Tester',
      'POST /api/users not Tester',
      'GET /api/users/stored%40example.com/status ',
    ]);
    expect(answers).toMatchObject({
      email: 'stored@example.com',
      posts: [
        { status: 409, body: 'Tester' },
        { status: 409, body: 'not Tester' },
      ],
      status: { status: 200, body: '' },
    });
  });

  it('asks about every row, whichever replica is asked', async () => {
    const rows = Array.from({ length: 50 }, () => buildRegistration());

    // Port 1 refuses connections.
    const answers = await askAboutRows(rows, [{ url: 'http://127.0.0.1:1' }, { url: 'http://127.0.0.1:1' }]);

    expect(answers.map(({ email }) => email).sort()).toEqual(rows.map(({ email }) => email).sort());
    expect(answers.every(({ status }) => status.status === 0)).toBe(true);
  });

  it('rejects where no replica is left to ask', async () => {
    await expect(askAboutRows([buildRegistration()], [])).rejects.toThrow('no replica is running');
  });
});
