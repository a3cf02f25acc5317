import { parseSeedArguments } from '../../../../dev/seed/seed-arguments';

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');

describe('seed', () => {
  it.each([
    ['', 10_000],
    ['--users 1', 1],
    ['--users=5000000', 5_000_000],
  ])('understands "%s"', (line, users) => {
    expect(parseSeedArguments(words(line))).toEqual({ name: 'seed', users });
  });

  it.each<[string, string]>([
    ...['0', '-1', '5000001', '1.5', '1e3', 'many', '0x10'].map((count): [string, string] => [
      `--users=${count}`,
      '--users must be a whole number from 1 to 5000000',
    ]),
    ['--user 10', "Unknown option '--user'"],
    ['--users', "Option '--users <value>' argument missing"],
    // What npm makes of `npm run seed --users 10`.
    ['10', 'write npm run seed -- --users 10000, with both --'],
  ])('rejects "%s"', (line, message) => {
    expect(() => parseSeedArguments(words(line))).toThrow(
      expect.objectContaining({ name: 'UsageError', message }) as Error,
    );
  });
});
