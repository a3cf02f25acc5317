import { STATUS_CODES } from 'node:http';
import type { ErrorResponse } from './error-catalogue';
import { JSON_TYPE } from './send-json';

/** The media type of RFC 9457. */
export const PROBLEM_TYPE = 'application/problem+json';

// Removed first: it may hold commas.
const QUOTED_STRING = /"(?:\\.|[^"\\])*"?/g;
const PROBLEM_RANGE = /(?:^|,)\s*application\/problem\+json\s*(?:;([^,]*))?(?=,|$)/gi;
const WEIGHT = /(?:^|;)\s*q\s*=\s*([^;\s]*)/i;

/** An error's body and its media type: a problem where `accept`, the header, names that type; a wildcard does not. */
export function errorContent(response: ErrorResponse, accept: string | undefined) {
  return acceptsProblem(accept)
    ? { contentType: PROBLEM_TYPE, body: problemBody(response) }
    : { contentType: JSON_TYPE, body: errorBody(response) };
}

/** The body of an error. */
export function errorBody({ message }: ErrorResponse) {
  return { success: false, error: message };
}

/** The same for programs (RFC 9457). `code` tells errors apart, so the type has nothing to add to the status. */
function problemBody({ status, code, message, brokenRules }: ErrorResponse) {
  const title = STATUS_CODES[status];
  return { type: 'about:blank', title, status, detail: message, code, errors: brokenRules };
}

// Express's own negotiation takes up to 30 ms for 16 kB, and floods get errors, too.
function acceptsProblem(accept = ''): boolean {
  const ranges = accept.replace(QUOTED_STRING, '').matchAll(PROBLEM_RANGE);
  return [...ranges].some(([, parameters = '']) => Number(WEIGHT.exec(parameters)?.[1] ?? 1) > 0);
}
