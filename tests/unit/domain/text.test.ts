import { toNfc } from '../../../src/domain/text';

describe('toNfc', () => {
  it('refuses no text for its length before NFC: no character stands for more than four', () => {
    const codes = Array.from({ length: 0x110000 }, (_, code) => code);
    const longest = codes.map((code) => Array.from(String.fromCodePoint(code).normalize('NFD')).length);

    expect(longest.reduce((one, other) => Math.max(one, other))).toBe(4);
    expect(toNfc('\u1f82'.normalize('NFD').repeat(3), 3)).toBe('\u1f82'.repeat(3));
  });

  it('counts what NFC makes more of', () => {
    expect(toNfc('\u0958', 1)).toBeUndefined();
    expect(toNfc('\u0958', 2)).toBe('\u0915\u093c');
  });
});
