import { readFileSync } from 'node:fs';

export const README = readFileSync('README.md', 'utf8');

/** The text of README's fenced blocks of one language. */
export function blocks(language: string): string[] {
  const fenced = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms');
  return [...README.matchAll(fenced)].map((match) => match[1] ?? '');
}
