import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import type { ReadRecord } from './kafka-tools';

interface Schema {
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface MessageDescription {
  readonly headers: Schema;
  readonly bindings?: { readonly kafka?: { readonly key?: Schema } };
}

interface AsyncapiDocument {
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly messages: Readonly<Record<string, MessageDescription>>;
  };
}

/** docs/asyncapi.yaml */
export const asyncapiDocument = parse(readFileSync('docs/asyncapi.yaml', 'utf8')) as AsyncapiDocument;

const ROOT = 'asyncapi.json';
// Not strict: the document has keywords of AsyncAPI beside those of JSON Schema.
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(asyncapiDocument, ROOT);

/** How a record that was produced differs from this message of the document; none: it does not. */
export function problemsOf(message: string, { key, value, headers }: ReadRecord): string[] {
  const place = `components/messages/${message}`;
  return [
    ...complaints(`${place}/bindings/kafka/key`, key),
    ...complaints(`${place}/headers`, headers),
    ...complaints(`${place}/payload`, parsed(value)),
  ];
}

/** A dead letter's value may be anything. */
function parsed(value = 'null'): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function complaints(place: string, data: unknown): string[] {
  const check = ajv.getSchema(`${ROOT}#/${place}`);
  // Of a dead letter anything may be the key.
  if (check === undefined && place.endsWith('/key')) return [];
  if (check === undefined) return [`no schema at ${place}`];
  if (check(data) === true) return [];
  return (check.errors ?? []).map(({ instancePath, message = '' }) => `${place}${instancePath} ${message}`);
}
