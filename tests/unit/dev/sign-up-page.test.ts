import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chooseFreePort } from '../../../dev/local-stack/ports';
import { serveSignUpPage, startSignUpPage } from '../../../dev/sign-up-page';
import { GENDERS, SEXES } from '../../../src/domain/registration';
import { buildRegistration } from '../../support/builders';

const servers: Server[] = [];

afterEach(() => servers.splice(0).forEach((server) => server.close()));

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function startPage(): Promise<string> {
  const server = await startSignUpPage(0, 'http://localhost:8123');
  servers.push(server);
  return `http://localhost:${portOf(server)}`;
}

describe('the sign-up page of npm run dev', () => {
  it('calls the API where it is, and nothing else', async () => {
    const response = await fetch(await startPage());

    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(html).toContain('<meta name="api" content="http://localhost:8123"');
    expect(html).not.toContain('localhost:8000');
    expect(response.headers.get('content-security-policy')).toMatch(
      /default-src 'none';.*connect-src http:\/\/localhost:8123;/,
    );
  });

  it('has its script and its style, and no other file', async () => {
    const page = await startPage();
    const html = await (await fetch(page)).text();
    const named = [...html.matchAll(/(?:src|href)="([\w-]+\.\w+)"/g)].map(([, file]) => file ?? '');

    const statuses = async (...paths: string[]): Promise<number[]> =>
      Promise.all(paths.map(async (path) => (await fetch(`${page}/${path}`)).status));

    expect(named.sort()).toEqual(['sign-up.css', 'sign-up.js']);
    expect(await statuses(...named, 'sign-up.js?v=1')).toEqual([200, 200, 200]);
    expect(await statuses('tsconfig.json', '%2e%2e/run-dev.ts', 'index.html/..%2f', 'toString')).toEqual([
      404, 404, 404, 404,
    ]);
  });

  it('is served at the address that is announced', async () => {
    const port = await chooseFreePort();
    const frontendOrigins = ['http://localhost:3000', `http://localhost:${port}`];

    const line = await serveSignUpPage({ port: 8000, frontendOrigins }, port);

    expect(line).toBe(`http://localhost:${port}`);
    // Nothing here stops the server: a connection that was kept open would keep this process.
    expect((await fetch(line, { headers: { Connection: 'close' } })).status).toBe(200);
  });

  it('gives way to whatever has its port', async () => {
    const other = createServer().listen(0);
    servers.push(other);
    await once(other, 'listening');
    const port = portOf(other);

    const line = await serveSignUpPage({ port: 8000, frontendOrigins: [`http://localhost:${port}`] }, port);

    expect(line).toBe(`not served: port ${port} is already in use`);
  });

  it('is not served where the service would not let it in', async () => {
    const settings = { port: 8000, frontendOrigins: ['http://localhost:3000'] };

    const line = await serveSignUpPage(settings);

    expect(line).toBe('not served: FRONTEND_URL does not list http://localhost:5173');
  });
});

describe('the form', () => {
  const html = readFileSync('dev/sign-up/index.html', 'utf8');
  const controls = [...html.matchAll(/<(?:input|select)\b[^>]*>/gs)].map(([tag]) => tag);
  const attribute = (tag: string, name: string): string =>
    new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  const optionsOf = (name: string): string[] => {
    const select = new RegExp(`<select[^>]*name="${name}".*?</select>`, 's').exec(html)?.[0] ?? '';
    return [...select.matchAll(/<option value="([^"]+)"/g)].map(([, value]) => value ?? '');
  };

  it('has the fields and the choices of a registration', () => {
    expect(controls.map((tag) => attribute(tag, 'name'))).toEqual(Object.keys(buildRegistration()));
    expect(optionsOf('gender')).toEqual(GENDERS);
    expect(optionsOf('sex')).toEqual(SEXES);
  });

  it('ties each field to its label and to the place of its error', () => {
    const ties = controls.map((tag) => [attribute(tag, 'id'), attribute(tag, 'aria-describedby')]);

    expect(ties).toHaveLength(6);
    expect(
      ties.filter(
        ([id, error]) => !html.includes(`<label for="${id ?? ''}">`) || !html.includes(`id="${error ?? ''}"`),
      ),
    ).toEqual([]);
  });
});
