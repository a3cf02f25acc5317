import type { ServerResponse } from 'node:http';

/**
 * Sends JSON: Express's res.json() with the settings of this app, without what that computes for each response: content
 * type, charset, freshness.
 */
export function sendJson(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}
