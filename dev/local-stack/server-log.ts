import { closeSync, openSync, readFileSync } from 'node:fs';

/** Runs `use` with a file descriptor that appends to the log. */
export async function withLog<T>(path: string, use: (descriptor: number) => Promise<T>): Promise<T> {
  const descriptor = openSync(path, 'a');
  try {
    return await use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The last line that is no stack frame, and the log's path; for the end of an error message. */
export function lastWords(path: string): string {
  const isStackFrame = (line: string): boolean => /^\s+at |^\s*\.\.\. \d+ more/.test(line);
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !isStackFrame(line));
  return `${lines.at(-1)?.trim() ?? 'it logged nothing'} (log: ${path})`;
}
