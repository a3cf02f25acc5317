import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { openapiDocument } from '../../src/routes/openapi/document';

const header =
  '// Generated from the OpenAPI document by `npm run client:types`. Copy it into the front end.\n\n';

/** The types of the API's requests and answers, as TypeScript: what docs/client/api.d.ts has to be. */
export async function renderClientTypes(): Promise<string> {
  // As it is served: plain JSON.
  const document = JSON.parse(JSON.stringify(openapiDocument)) as OpenAPI3;
  return header + astToString(await openapiTypescript(document));
}
