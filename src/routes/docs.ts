import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { Router, type Response } from 'express';
import { allowOnly } from '../http/middleware/error-handler';
import { openapiDocument } from '../openapi/document';
import { sendJson } from '../http/send-json';

/** Swagger UI's page. Scripts and styles are files of their own, for the sake of the Content-Security-Policy. */
const SWAGGER_HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>User Registration API</title>
    <link rel="icon" type="image/png" href="/api/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/api/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/start.js"></script>
  </body>
</html>
`;

/** The script that starts it. No validator: that would send the document's address to another server. */
const SWAGGER_INIT_JS = `SwaggerUIBundle({
  url: '/api/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
});
`;

// Of swagger-ui-dist itself: swagger-ui-express makes its page of a template with inline styles and options of its own,
// where these three files do under a strict policy.
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

// As strict as Swagger UI allows. Unlike Helmet's own it upgrades no request to HTTPS: the page has to work where there
// is none, too.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(';');

/** /api/openapi.json, and /api/docs: Swagger UI, which shows it and tries it out. Open to everyone, without a rate limit. */
export function createDocsRouter(): Router {
  const root = dirname(require.resolve('swagger-ui-dist/package.json'));
  const router = Router();
  const serve = (path: string, send: (res: Response) => void) =>
    router
      .route(path)
      .get((_req, res) => send(res.setHeader('Content-Security-Policy', POLICY)))
      .all(allowOnly('GET', 'HEAD'));

  serve('/api/openapi.json', (res) => sendJson(res, 200, openapiDocument));
  serve('/api/docs', (res) => res.type('html').send(SWAGGER_HTML));
  serve('/api/docs/start.js', (res) => res.type('js').send(SWAGGER_INIT_JS));
  for (const file of FILES) {
    // In memory once for all responses: a stream each would hold a buffer for each slow client, and these paths have no
    // rate limit.
    const content = readFileSync(join(root, file));
    serve(`/api/docs/${file}`, (res) => res.type(extname(file)).send(content));
  }
  return router;
}
