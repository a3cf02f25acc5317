import { describeError, type ErrorDescription } from './describe-error';

/** An error and its causes in one line for people, without what may quote submitted data. */
export function errorLine(error: unknown): string {
  const texts = textsOf(describeError(error));
  return [...new Set(texts)].join(': ').replace(/\s+/g, ' ');
}

function textsOf({ message, code, name, cause }: ErrorDescription): string[] {
  const text = message !== undefined && message !== '' ? message : (code ?? name);
  return [text, ...(cause === undefined ? [] : textsOf(cause))];
}
