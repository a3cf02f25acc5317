import type { OutgoingHttpHeaders } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { openapiDocument } from '../../src/openapi/document';

const ROOT = 'openapi.json';

interface Described {
  readonly $ref?: string;
  readonly headers?: Readonly<Record<string, Described>>;
  readonly content?: Readonly<Record<string, unknown>>;
  readonly required?: boolean;
}

// Not strict: the document has keywords of OpenAPI beside those of JSON Schema.
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
// ajv-formats does not know it; the patterns of the schemas say what matters.
ajv.addFormat('idn-email', true);
ajv.addSchema(openapiDocument, ROOT);

/** The check of the schema that stands at this place in the document. */
export function schemaAt(...place: readonly string[]): ValidateFunction {
  const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
  const check = ajv.getSchema(`${ROOT}#/${pointer.join('/')}`);
  if (check === undefined) throw new Error(`no schema at ${place.join(' ')}`);
  return check as ValidateFunction;
}

/** What is at this place, its reference followed; undefined when nothing is. */
function find(place: readonly string[]): { place: readonly string[]; value: Described } | undefined {
  const value = place.reduce<unknown>(
    (parent, name) => (parent as Readonly<Record<string, unknown>> | undefined)?.[name],
    openapiDocument,
  ) as Described | undefined;
  if (value?.$ref !== undefined) return find(value.$ref.split('/').slice(1));
  return value && { place, value };
}

/** What a client was answered. */
export interface Answer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

// What HTTP, CORS and Helmet add to every answer alike; the document's text speaks of them.
const UNDESCRIBED =
  /^(access-control-|cross-origin-|x-(?!request-id|total-count)|content-|cache-control|vary|connection|keep-alive|date|origin-agent|referrer|strict-tr)/;
// Answers that are no part of the API: the documentation itself.
const DOCS = /^\/api\/(docs|openapi\.json)\b/i;

/** How the response differs from the document. */
export function undescribed(answer: Answer): string[] {
  const path = pathOf(answer.path);
  if (DOCS.test(path) || answer.method === 'OPTIONS') return [];
  const response = find(placeOf(answer.method, path, answer.status));
  const problems = response
    ? [
        ...headerProblems(response.value.headers ?? {}, answer.headers),
        ...(answer.method === 'HEAD' ? [] : bodyProblems(response.place, answer)),
      ]
    : ['this status is not in the document'];
  return problems.map((problem) => `${answer.method} ${answer.path} ${answer.status}: ${problem}`);
}

function pathOf(url: string): string {
  return url.replace(/(?<=.)\/?(\?.*)?$/s, '');
}

// What any operation may be answered alike: one that was is enough.
const GENERAL = /MalformedRequest|RequestTimeout|TooManyRequests|HeadersTooLarge|InternalError|Unavailable$/;

/** Where the response is in the document: at its operation, and where the reference there points. */
export function placesOf({ method, path, status }: Pick<Answer, 'method' | 'path' | 'status'>): string[] {
  const place = placeOf(method, pathOf(path), status);
  const found = find(place);
  return found ? [place.join(' '), found.place.join(' ')] : [];
}

/** Every answer that the document promises, of which these were not seen. */
export function unseenAnswers(seen: ReadonlySet<string>): string[] {
  const promised = Object.entries(openapiDocument.paths).flatMap(([path, operations]) =>
    Object.entries(operations as Record<string, { responses?: object }>).flatMap(([method, operation]) =>
      Object.keys(operation.responses ?? {}).map((status) => ['paths', path, method, 'responses', status]),
    ),
  );
  const places = promised.map((place) => {
    const general = find(place)?.place.join(' ') ?? '';
    return GENERAL.test(general) ? general : place.join(' ');
  });
  return [...new Set(places)].filter((place) => !seen.has(place));
}

function placeOf(method: string, path: string, status: number): readonly string[] {
  const template = Object.keys(openapiDocument.paths).find((candidate) =>
    new RegExp(`^${candidate.replaceAll('{email}', '[^/]+')}$`, 'i').test(path),
  );
  const operation = ['paths', template ?? '', method === 'HEAD' ? 'get' : method.toLowerCase()];
  if (find(operation)) return [...operation, 'responses', String(status)];
  // What any path and any method may be answered; 405 only where another method is known.
  const general: Readonly<Record<number, string>> = {
    400: 'MalformedRequest',
    404: 'NotFound',
    408: 'RequestTimeout',
    413: 'BodyTooLarge',
    429: 'TooManyRequests',
    431: 'HeadersTooLarge',
    503: 'Unavailable',
    ...(template !== undefined && { 404: '', 405: 'MethodNotAllowed' }),
  };
  return ['components', 'responses', general[status] ?? ''];
}

function headerProblems(described: Readonly<Record<string, Described>>, given: Answer['headers']): string[] {
  const names = Object.keys(described).map((name) => name.toLowerCase());
  const strangers = Object.keys(given).filter((name) => !names.includes(name) && !UNDESCRIBED.test(name));
  const wrong = Object.entries(described).flatMap(([name, reference]) => {
    const header = find(reference.$ref?.split('/').slice(1) ?? []);
    const value = given[name.toLowerCase()];
    if (value === undefined) return header?.value.required ? [`no ${name}`] : [];
    const check = schemaAt(...(header?.place ?? []), 'schema');
    return check(value.toString()) ? [] : [`${name}: ${value.toString()}`];
  });
  return [...strangers.map((name) => `${name} is not in the document`), ...wrong];
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  'application/json; charset=utf-8': 'application/json',
  'application/problem+json': 'application/problem+json',
};

function bodyProblems(place: readonly string[], { headers, body }: Answer): string[] {
  const mediaType = MEDIA_TYPES[String(headers['content-type'])];
  if (mediaType === undefined) return [`no JSON: ${body}`];
  const check = schemaAt(...place, 'content', mediaType, 'schema');
  return check(JSON.parse(body)) ? [] : [`${ajv.errorsText(check.errors)} in ${body}`];
}
