import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { openapiDocument } from '../src/openapi/document';
import { checkoutDir } from './local-stack/paths';

const HEADER =
  '// Generated from the OpenAPI document by `npm run client:types`. Copy it into the front end.\n\n';

/** `npm run client:types`: the types of the API's requests and responses, into docs/client or the given file. */
async function writeClientTypes(): Promise<void> {
  const [file = join(checkoutDir, 'docs', 'client', 'api.d.ts')] = process.argv.slice(2);
  // As it is served: plain JSON.
  const document = JSON.parse(JSON.stringify(openapiDocument), bareEnum) as OpenAPI3;
  writeFileSync(file, HEADER + astToString(await openapiTypescript(document)));
}

/** Of an enumeration that tolerates whitespace only its values: a union with `string` would be `string`. */
function bareEnum(_key: string, value: unknown): unknown {
  const [values] = (value as { anyOf?: readonly { enum?: unknown }[] } | null)?.anyOf ?? [];
  return values?.enum === undefined ? value : values;
}

void writeClientTypes();
