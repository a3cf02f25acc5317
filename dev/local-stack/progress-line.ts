const everyOtherwise = 20;

/** Shows a count that grows: rewriting one line in a terminal, elsewhere a new line at every twentieth step. */
export interface ProgressLine {
  show(text: string, step: number): void;
  end(): void;
}

/** See ProgressLine; `report` takes the lines when there is no terminal. */
export function createProgressLine(report: (line: string) => void): ProgressLine {
  let shown = false;
  return {
    show(text, step) {
      if (process.stdout.isTTY) shown = process.stdout.write(`\r${text}`) || true;
      else if (step % everyOtherwise === 0) report(text);
    },
    end() {
      if (shown) process.stdout.write('\n');
    },
  };
}
