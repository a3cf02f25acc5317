import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../local-stack/paths';
import { renderClientTypes } from './client-types';

/** `npm run client:types` */
async function writeClientTypes(): Promise<void> {
  writeFileSync(join(checkoutDir, 'docs', 'client', 'api.d.ts'), await renderClientTypes());
}

void writeClientTypes();
