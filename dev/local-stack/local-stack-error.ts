/** A foreseen failure: its message is one line that tells a person what to do, so no stack need be shown. */
export class LocalStackError extends Error {
  override readonly name = 'LocalStackError';
}
