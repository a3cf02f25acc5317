import { contenders } from './contenders';

/** What was measured. */
export interface Medians {
  /** NaN when the contender was not measured in that. */
  medianOf(measure: string, contender: string): number;
}

/** What the chart shows; all of them are better the longer the bar. */
const measures = [
  'POST requests/s',
  'rows/s, until the last one is stored',
  'GET by email, requests/s',
  'GET by email, not cached, requests/s',
  'GET list of 100, requests/s',
  'drain, rows/s',
];
const colours = ['#2563eb', '#94a3b8', '#f59e0b', '#10b981'];
const width = 760;
const labelWidth = 250;
const barHeight = 15;
const groupGap = 14;
const legendHeight = 30;

/** The medians as bars, each measure with a scale of its own: an SVG image. */
export function drawChart(results: Medians): string {
  let y = legendHeight + groupGap;
  const parts = contenders.map(({ title }, nth) => legend(title, nth));
  for (const measure of measures) {
    const bars = contenders
      .map(({ name }, nth) => ({ nth, value: results.medianOf(measure, name) }))
      .filter(({ value }) => !Number.isNaN(value));
    if (bars.length === 0) continue;
    const longest = Math.max(...bars.map(({ value }) => value));
    const middle = y + (bars.length * barHeight) / 2 + 4;
    parts.push(`<text x="${labelWidth - 8}" y="${middle}" text-anchor="end">${measure}</text>`);
    for (const { nth, value } of bars) {
      parts.push(bar(y, (value / longest) * (width - labelWidth - 70), value, nth));
      y += barHeight;
    }
    y += groupGap;
  }
  const style = 'text { font: 12px sans-serif; fill: #334155 }';
  const background = `<rect width="${width}" height="${y}" fill="#fff"/>`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}">`;
  return [open, `<style>${style}</style>`, background, ...parts, '</svg>', ''].join('\n');
}

function bar(y: number, length: number, value: number, nth: number): string {
  const label = Math.round(value).toLocaleString('en');
  return (
    `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight - 2}" fill="${colours[nth]}"/>` +
    `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${y + barHeight - 4}">${label}</text>`
  );
}

function legend(title: string, nth: number): string {
  const x = 8 + nth * (width / contenders.length);
  return `<rect x="${x}" y="10" width="10" height="10" fill="${colours[nth]}"/><text x="${x + 14}" y="19">${title}</text>`;
}
