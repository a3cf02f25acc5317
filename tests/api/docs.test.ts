import fs from 'node:fs';
import { openapiDocument } from '../../src/openapi/document';
import { startService, type TestService } from '../support/harness';

let service: TestService;

beforeAll(async () => {
  service = await startService({
    CONSUMER_ENABLED: 'false',
    RATE_LIMIT_MAX: '1',
    API_KEYS: `crm:${'0'.repeat(64)}`,
  });
});

/** Everything that the page fetches of its own accord. */
async function filesOf(page: string): Promise<string[]> {
  const { text } = await service.http.get(page).expect(200);
  return [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? '');
}

const policyOf = async (path: string): Promise<string> =>
  (await service.http.get(path)).headers['content-security-policy'] ?? '';

describe('GET /api/openapi.json', () => {
  it('answers the document', async () => {
    const response = await service.http.get('/api/openapi.json').expect(200);

    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.body).toEqual(JSON.parse(JSON.stringify(openapiDocument)));
  });
});

describe('GET /api/docs', () => {
  it('answers a page, and all that it needs', async () => {
    const files = await filesOf('/api/docs');

    expect(files.length).toBeGreaterThan(3);
    for (const file of files) await service.http.get(file).expect(200);
    await service.http.get('/api/docs/').expect(200).expect('Content-Type', 'text/html; charset=utf-8');
  });

  it('holds its files once in memory, however many clients read them slowly', async () => {
    const stream = jest.spyOn(fs, 'createReadStream');

    const answer = await service.http.get('/api/docs/swagger-ui-bundle.js').expect(200);

    expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(answer.text).toBe(
      fs.readFileSync(require.resolve('swagger-ui-dist/swagger-ui-bundle.js'), 'utf8'),
    );
    expect(stream).not.toHaveBeenCalled();
    stream.mockRestore();
  });

  it('runs scripts from this server only, and upgrades nothing to HTTPS', async () => {
    const policy = await policyOf('/api/docs');

    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('upgrade-insecure-requests');
  });

  it('leaves the policy of all other answers as it was', async () => {
    for (const path of ['/api/users', '/api/health', '/api/docs/nothing', '/nothing']) {
      expect(await policyOf(path)).toContain('upgrade-insecure-requests');
    }
  });

  it.each([
    '/api/docs/nothing',
    '/api/docs/package.json',
    '/api/docs/..%2Fpackage.json',
    '/api/openapi.yaml',
  ])('has nothing at %s', async (path) => {
    const response = await service.http.get(path);

    // The limit counts what is not there.
    expect([404, 429]).toContain(response.status);
    expect(response.body).toMatchObject({ success: false });
  });
});

describe('the documentation', () => {
  it('needs no API key and is not limited', async () => {
    for (let time = 0; time < 3; time += 1) {
      for (const path of ['/api/docs', '/api/openapi.json']) {
        const { headers } = await service.http.get(path).expect(200);
        expect(headers['ratelimit']).toBeUndefined();
      }
    }
  });

  it.each(['/api/docs', '/api/openapi.json', '/api/docs/start.js'])(
    'is only to be read: %s',
    async (path) => {
      const response = await service.http
        .post(path)
        .send({})
        .expect(405)
        .expect('Allow', 'GET, HEAD, OPTIONS');

      expect(response.body).toEqual({ success: false, error: 'Method not allowed' });
    },
  );
});
