/** An expected failure: its message is one line that says what to do, so no stack is shown. */
export class LocalStackError extends Error {
  override readonly name = 'LocalStackError';
}
