/** What went wrong in a run, one line each. */
export class Problems {
  readonly lines: string[] = [];

  add(line: string): void {
    this.lines.push(line);
  }

  /** A step that fails is a broken promise, not the end of the run: the invariants are checked all the same. */
  async attempt(step: () => Promise<unknown>): Promise<void> {
    try {
      await step();
    } catch (error) {
      const { message, cause } = error as Error;
      this.add(cause instanceof Error ? `${message} (${cause.message})` : message);
    }
  }
}
