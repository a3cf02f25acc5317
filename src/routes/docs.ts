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

/** /api/openapi.json, and /api/docs: Swagger UI, which shows it and tries it out. Open to everyone, not limited. */
export function createDocsRouter(): Router {
  const root = dirname(require.resolve('swagger-ui-dist/package.json'));
  const router = Router();
  const answer = (path: string, handler: RequestHandler) =>
    router.route(path).get(setPolicy, handler).all(allowOnly('GET', 'HEAD'));

  answer('/api/openapi.json', (_req, res) => sendJson(res, 200, openapiDocument));
  answer('/api/docs', (_req, res) => res.type('html').send(PAGE));
  answer('/api/docs/start.js', (_req, res) => res.type('js').send(START));
  for (const file of FILES) {
    // In memory once for all answers: a stream for each would hold a buffer for each client that reads slowly, of which
    // there may be many, since these are not limited.
    const content = readFileSync(join(root, file));
    answer(`/api/docs/${file}`, (_req, res) => res.type(extname(file)).send(content));
  }
  return router;
}
