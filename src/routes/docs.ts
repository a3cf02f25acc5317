import { readFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { Router, type RequestHandler } from 'express';
import { PAGE, START } from './docs-page';
import { allowOnly } from '../http/middleware/error-handler';
import { openapiDocument } from '../openapi/document';
import { sendJson } from '../http/send-json';

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

const setPolicy: RequestHandler = (_req, res, next) => {
  res.setHeader('Content-Security-Policy', POLICY);
  next();
};

/** /api/openapi.json, and /api/docs: Swagger UI, which shows it and tries it out. Open to everyone, without a rate limit. */
export function createDocsRouter(): Router {
  const root = dirname(require.resolve('swagger-ui-dist/package.json'));
  const router = Router();
  const serve = (path: string, handler: RequestHandler) =>
    router.route(path).get(setPolicy, handler).all(allowOnly('GET', 'HEAD'));

  serve('/api/openapi.json', (_req, res) => sendJson(res, 200, openapiDocument));
  serve('/api/docs', (_req, res) => res.type('html').send(PAGE));
  serve('/api/docs/start.js', (_req, res) => res.type('js').send(START));
  for (const file of FILES) {
    // In memory once for all responses: a stream each would hold a buffer for each slow client, and these paths have no
    // rate limit.
    const content = readFileSync(join(root, file));
    serve(`/api/docs/${file}`, (_req, res) => res.type(extname(file)).send(content));
  }
  return router;
}
