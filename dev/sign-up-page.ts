import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { DevSettings } from './dev-settings';
import { checkoutDir } from './local-stack/paths';

const pageDir = join(checkoutDir, 'dev', 'sign-up');
/** The page's own value, so that it also works when another server serves it. */
const defaultApi = 'http://localhost:8000';

const files = new Map([
  ['/', { name: 'index.html', type: 'text/html; charset=utf-8' }],
  ['/sign-up.js', { name: 'sign-up.js', type: 'text/javascript; charset=utf-8' }],
  ['/sign-up.css', { name: 'sign-up.css', type: 'text/css; charset=utf-8' }],
]);

/** Serves the sample sign-up page for the API at this origin. Resolves when it listens; rejects when the port is taken. */
export async function startSignUpPage(port: number, api: string): Promise<Server> {
  const server = createServer((req, res) => {
    const file = files.get(req.url?.replace(/\?.*/s, '') ?? '');
    // Read for each request: whoever changes the page only has to reload it.
    const content = file
      ? readFile(join(pageDir, file.name), 'utf8')
      : Promise.reject(new Error('no such file'));
    content.then(
      (text) => {
        res.setHeader('Content-Type', file?.type ?? '');
        res.setHeader('Content-Security-Policy', policy(api));
        res.setHeader('Cache-Control', 'no-store');
        res.end(text.replaceAll(defaultApi, api));
      },
      () => res.writeHead(404).end(),
    );
  });
  server.listen(port);
  await once(server, 'listening');
  return server;
}

/** For `npm run dev`: serves the page and resolves to its address, or to the reason why it is not served. */
export async function serveSignUpPage(
  { port: apiPort, frontendOrigins }: Pick<DevSettings, 'port' | 'frontendOrigins'>,
  port = 5173,
): Promise<string> {
  const address = `http://localhost:${port}`;
  if (!frontendOrigins.includes(address)) return `not served: FRONTEND_URL does not list ${address}`;
  try {
    const server = await startSignUpPage(port, `http://localhost:${apiPort}`);
    server.unref();
    return address;
  } catch {
    return `not served: port ${port} is already in use`;
  }
}

function policy(api: string): string {
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src ${api}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
}
