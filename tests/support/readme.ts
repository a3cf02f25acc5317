import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of the pages for people: README.md and every page under docs/. */
export const PAGES: readonly string[] = [
  'README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file))
    .sort(),
];

export const readPage = (page: string): string => readFileSync(page, 'utf8');

/** The text of all pages. */
export const DOCS = PAGES.map(readPage).join('\n');

/** The text of the fenced blocks of one language, of all pages or of this text. */
export function blocks(language: string, text = DOCS): string[] {
  const fenced = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...text.matchAll(fenced)].map((match) => match[1] ?? '');
}

/** The headings of a page, with their marks: `## Quick start`. */
export function headings(page: string): string[] {
  const prose = readPage(page).replace(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/^#+ .+$/gm)].map(([heading]) => heading);
}
