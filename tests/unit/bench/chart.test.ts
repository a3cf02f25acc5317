import { drawChart } from '../../../dev/bench/chart';

const values: Record<string, number> = { service: 6000, 'plain-pipeline': 3000, 'fastify-insert': 1500 };

describe('drawChart', () => {
  const chart = drawChart({
    medianOf: (measure, contender) => (measure === 'POST requests/s' ? (values[contender] ?? NaN) : NaN),
  });
  const lengths = [...chart.matchAll(/<rect x="250" y="\d+" width="([\d.]+)"/g)].map(([, length]) =>
    Number(length),
  );

  it('draws a bar for each contender that was measured, in proportion', () => {
    expect(lengths).toHaveLength(3);
    expect((lengths[0] ?? 0) / (lengths[1] ?? 0)).toBeCloseTo(2);
    expect((lengths[0] ?? 0) / (lengths[2] ?? 0)).toBeCloseTo(4);
    expect(chart).toContain('>6,000</text>');
  });

  it('leaves out what was not measured', () => {
    expect(chart).toContain('POST requests/s');
    expect(chart).not.toContain('drain');
  });
});
