import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import { createConstantHeaders } from './middleware/security-headers';
import { createCors } from './middleware/cors';

/** What is made of the headers that every answer carries, for each origin: they are asked for once. */
export class CommonHeaders<T> {
  private readonly byOrigin: ReadonlyMap<string, T>;
  private readonly forOthers: T;

  /** `make` gets them as names and values in turn. */
  constructor(allowedOrigins: readonly string[], make: (headers: readonly string[]) => T) {
    this.forOthers = make(headersFor(undefined, allowedOrigins));
    this.byOrigin = new Map(
      allowedOrigins.map((origin) => [origin, make(headersFor(origin, allowedOrigins))]),
    );
  }

  for(origin: string | undefined): T {
    return this.byOrigin.get(origin ?? '') ?? this.forOthers;
  }
}

/** The headers that the middleware gives a JSON answer to this origin. */
function headersFor(origin: string | undefined, allowedOrigins: readonly string[]): string[] {
  const request = new IncomingMessage(new Socket());
  request.method = 'POST';
  if (origin !== undefined) request.headers.origin = origin;
  const response = new ServerResponse(request);
  const run = (handler: RequestHandler): unknown =>
    handler(
      request as Parameters<RequestHandler>[0],
      response as Parameters<RequestHandler>[1],
      () => undefined,
    );
  [createConstantHeaders(), ...createCors(allowedOrigins)].forEach(run);
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  return Object.entries(response.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
}

/** As they stand in an answer, a line each. */
export function linesOf(headers: readonly string[]): string[] {
  return headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1] ?? ''}`] : []));
}
