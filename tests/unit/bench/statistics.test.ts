import { median, quantile, spread } from '../../../dev/bench/statistics';

describe('median', () => {
  it.each([
    [[3], 3],
    [[1, 10, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100, 11], 10.5],
  ])('of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

  it('of nothing is no number', () => expect(median([])).toBeNaN());

  it('of a round that could not be measured, beside others, is no number', () => {
    expect(median([NaN, 1, 2])).toBeNaN();
  });

  it('leaves its input in order', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('spread', () => {
  it('is half the range as a share of the median', () => expect(spread([90, 100, 110])).toBeCloseTo(0.1));
  it('of equal values is 0', () => expect(spread([5, 5, 5])).toBe(0));
});

describe('quantile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  it.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])('%d of 1 to 100 is %d', (share, expected) => expect(quantile(hundred, share)).toBe(expected));

  it('of nothing is no number', () => expect(quantile([], 0.5)).toBeNaN());
});
