import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { openapiDocument } from '../src/openapi/document';
import { checkoutDir } from './local-stack/paths';

const HEADER =
  '// Generated from the OpenAPI document by `npm run client:types`. Copy it into the front end.\n\n';

/** `npm run client:types`: the types of the API's requests and answers, into docs/client or the file that is named. */
async function writeClientTypes(): Promise<void> {
  const [file = join(checkoutDir, 'docs', 'client', 'api.d.ts')] = process.argv.slice(2);
  // As it is served: plain JSON.
  const document = JSON.parse(JSON.stringify(openapiDocument), bareChoice) as OpenAPI3;
  writeFileSync(file, HEADER + astToString(await openapiTypescript(document)));
}

/** Of a choice that forgives blanks only its words: beside them `string` would swallow them. */
function bareChoice(_key: string, value: unknown): unknown {
  const [words] = (value as { anyOf?: readonly { enum?: unknown }[] } | null)?.anyOf ?? [];
  return words?.enum === undefined ? value : words;
}

void writeClientTypes();
