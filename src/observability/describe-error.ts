/** What a log line may say of an error: no driver fields that hold submitted data (`detail`, `command`, `body`). */
export interface ErrorDescription {
  readonly name: string;
  readonly code?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
}

const MAX_CAUSES = 4;

// PostgreSQL quotes the offending value in its message for data exceptions (22), violations (23) and raised errors (P0),
// which a function may give any other code; then `where` names it.
const QUOTES_DATA = /^(22|23|P0)...$/;
// Redis quotes the arguments of a command it does not have (or has under another name): keys hold emails.
const QUOTED_ARGUMENTS = /, with args beginning with.*$/s;

/** Name, code, message and stack of an error and of its causes. Messages that may quote submitted data are left out. */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const message = error.message.replace(QUOTED_ARGUMENTS, '');
  const isRaised = 'where' in error && error.where !== undefined;
  const hasSafeMessage = code === undefined || !(QUOTES_DATA.test(code) || isRaised);
  const hasSafeStack = hasSafeMessage && message === error.message;
  return {
    name: error.name,
    ...(code !== undefined && { code }),
    ...(hasSafeMessage && { message }),
    ...(hasSafeStack && error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && depth < MAX_CAUSES && { cause: describeError(error.cause, depth + 1) }),
  };
}

/** An error and its causes in one line for people, without what may quote submitted data. */
export function errorLine(error: unknown): string {
  return [...new Set(textsOf(describeError(error)))].join(': ').replace(/\s+/g, ' ');
}

/** The same, one text each. */
export function textsOf({ message, code, name, cause }: ErrorDescription): string[] {
  return [message || (code ?? name), ...(cause === undefined ? [] : textsOf(cause))];
}
