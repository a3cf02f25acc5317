import type { ServerResponse } from 'node:http';

/** The media type of every body that has no other. */
export const JSON_TYPE = 'application/json; charset=utf-8';

/**
 * Sends JSON: Express's res.json() with the settings of this app, without what that computes for each response: content
 * type, charset, freshness.
 */
export function sendJson(res: ServerResponse, status: number, body: object, contentType = JSON_TYPE): void {
  const text = JSON.stringify(body);
  res.statusCode = status;
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}
