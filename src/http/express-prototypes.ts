import { IncomingMessage, ServerResponse } from 'node:http';
import type { Express } from 'express';

/**
 * Request and response classes for createServer() that already are what Express turns every request and response into.
 *
 * Express 5 sets the prototype of each by hand (`app.handle` in express/lib/application.js), and V8 drops what it has
 * optimised for an object whose prototype changes. Objects made by these classes have Express's prototypes from the
 * start, so that setting them changes nothing.
 */
export function expressClasses(app: Express): {
  IncomingMessage: typeof IncomingMessage;
  ServerResponse: typeof ServerResponse<IncomingMessage>;
} {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse extends ServerResponse {}
  // app.request and app.response hold the app's settings and inherit Express's methods.
  Object.setPrototypeOf(ExpressRequest.prototype, app.request);
  Object.setPrototypeOf(ExpressResponse.prototype, app.response);
  app.request = ExpressRequest.prototype as typeof app.request;
  app.response = ExpressResponse.prototype as typeof app.response;
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}
