import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEmail } from '../../../src/domain/email';
import { ValidationError } from '../../../src/domain/errors';

/** The addresses of canonical-emails.tsv, with their canonical form; '-' for those that are rejected. */
const golden = readFileSync(join(__dirname, 'canonical-emails.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [address = '', canonical = ''] = line
      .replace(/\\u\{([\da-f]+)\}/g, (_escape, code: string) => String.fromCodePoint(parseInt(code, 16)))
      .split('\t');
    return { address, canonical: canonical === '=' ? address : canonical };
  });

function canonicalOf(address: string): string {
  try {
    return parseEmail(address);
  } catch (error) {
    if (error instanceof ValidationError) return '-';
    throw error;
  }
}

describe('the canonical form, whatever the version of Node.js', () => {
  it('is that of the file, of over 500 addresses', () => {
    const actual = golden.map(({ address }) => ({ address, canonical: canonicalOf(address) }));

    expect(actual).toEqual(golden);
    expect(golden.length).toBeGreaterThan(500);
  });

  it('is its own canonical form', () => {
    const forms = golden.map(({ canonical }) => canonical).filter((canonical) => canonical !== '-');

    expect(forms.map(canonicalOf)).toEqual(forms);
  });

  it('knows what this version has added to Unicode 15.0: if not, the list in src/domain/email.ts has to grow', () => {
    expect(Number(process.versions['unicode'])).toBeLessThanOrEqual(17);
  });
});
