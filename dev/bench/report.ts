import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { localDir } from '../local-stack/paths';
import { drawChart } from './chart';
import { contenders } from './contenders';
import { median, spread } from './statistics';

/** By measure: one value, or the values of several rounds. */
export type Measured = Readonly<Record<string, number | number[]>>;

/** Every value that was measured, by measure and contender. */
export class Results {
  private readonly values = new Map<string, Map<string, number[]>>();

  add(contender: string, measured: Measured): void {
    for (const [measure, value] of Object.entries(measured)) {
      const byContender = this.values.get(measure) ?? new Map<string, number[]>();
      this.values.set(measure, byContender);
      byContender.set(contender, (byContender.get(contender) ?? []).concat(value));
    }
  }

  medianOf(measure: string, contender: string): number {
    return median(this.values.get(measure)?.get(contender) ?? []);
  }

  /** A Markdown table of medians, each with half the range of its rounds. */
  get table(): string {
    const head = ['measure', ...contenders.map(({ title }) => title)];
    const rows = [...this.values].map(([measure, byContender]) => [
      measure,
      ...contenders.map(({ name }) => format(byContender.get(name))),
    ]);
    const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
    return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }

  /** Keeps every value and the circumstances, and the chart beside them; resolves to the values' path. */
  async keep(circumstances: object): Promise<string> {
    const path = join(localDir, 'bench', 'results.json');
    await mkdir(join(localDir, 'bench'), { recursive: true });
    const measures = Object.fromEntries(
      [...this.values].map(([measure, byContender]) => [measure, Object.fromEntries(byContender)]),
    );
    await writeFile(join(localDir, 'bench', 'chart.svg'), drawChart(this));
    await writeFile(path, JSON.stringify({ ...circumstances, measures }, undefined, 2));
    return path;
  }
}

function format(values: readonly number[] | undefined): string {
  if (values === undefined) return '';
  const middle = median(values);
  const shown = middle >= 100 ? Math.round(middle).toLocaleString('en') : middle.toPrecision(2);
  const percent = Math.round(spread(values) * 100);
  return values.length > 1 && percent > 0 ? `${shown} ± ${percent} %` : shown;
}
