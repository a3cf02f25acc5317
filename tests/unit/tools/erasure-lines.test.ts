import { Readable } from 'node:stream';
import { emailDigest } from '../../../src/domain/erasure';
import { readTargets, toReceiptLine, toTarget } from '../../../src/tools/erasure-lines';

const email = 'john@example.com';
const digest = emailDigest(email);
const erasedAt = '2026-11-30T10:00:00.000Z';
const receipt = { digest, email, erasedAt, row: true, finished: true };

const read = async (text: string) => {
  const problems: string[] = [];
  const result = await readTargets(Readable.from([text]), (problem) => problems.push(problem));
  return { ...result, problems };
};

describe('a line', () => {
  it.each<[string, object]>([
    ['John@Example.COM ', { digest, email, asOfMs: Infinity }],
    ['\uFEFFjohn@example.com', { digest, email, asOfMs: Infinity }],
    [`sha256:${digest}`, { digest, asOfMs: Infinity }],
    [` SHA256:${digest.toUpperCase()}`, { digest, asOfMs: Infinity }],
    [toReceiptLine(receipt, undefined), { digest, asOfMs: Date.parse(erasedAt) }],
    [`{"erasedAt":"2026-11-30T10:00:00Z","digest":"sha256:${digest}"}`, { asOfMs: Date.parse(erasedAt) }],
    [
      `{"success":true,"data":{"email":"${email}","erasedAt":"${erasedAt}"}}`,
      { digest, email, asOfMs: Date.parse(erasedAt) },
    ],
  ])('names somebody: %s', (line, expected) => {
    expect(toTarget(line)).toMatchObject(expected);
  });

  it.each([
    '',
    'john',
    '"john@example.com"',
    'john@example.com,jane@example.com',
    'j\uFFFDhn@example.com',
    'john\0@example.com',
    `sha256:${digest}0`,
    digest,
    '{',
    'null',
    '{}',
    '[]',
    '{"digest":null,"erasedAt":null}',
    '{"success":true,"data":null}',
    `{"data":{"email":"${email}"}}`,
    `{"digest":"sha256:${digest}"}`,
    `{"digest":"sha256:${digest}","erasedAt":"yesterday"}`,
    `{"digest":"sha256:${digest}","erasedAt":5}`,
    `{"digest":"sha256:${digest}","erasedAt":"2026-13-30T10:00:00Z"}`,
  ])('names nobody: %j', (line) => {
    expect(toTarget(line)).toBeUndefined();
  });
});

describe('a receipt', () => {
  it('has the digest in place of the email, and the day when the last copy ends', () => {
    expect(JSON.parse(toReceiptLine(receipt, new Date('2027-01-07T23:59:59Z')))).toEqual({
      ...{ digest: `sha256:${digest}`, erasedAt, row: true, finished: true, kafkaCopiesEnd: '2027-01-07' },
    });
    expect(JSON.parse(toReceiptLine(receipt, undefined))).toMatchObject({ kafkaCopiesEnd: null });
  });
});

describe('lines', () => {
  it('name each person once; of two erasures the later one counts, and what is known of the email stays', async () => {
    const later = { ...receipt, erasedAt: '2026-11-30T11:00:00.000Z' };
    const receipts = [toReceiptLine(later, undefined), toReceiptLine(receipt, undefined)].join('\n');

    const ofReceipts = await read(receipts);
    const ofAll = await read(`JOHN@example.com\n${receipts}\nsha256:${digest}`);

    expect(ofReceipts.targets).toEqual([{ digest, asOfMs: Date.parse(later.erasedAt) }]);
    expect(ofAll.targets).toEqual([{ digest, email, asOfMs: Infinity }]);
  });

  it('that are bad are named by number, not by content; blank ones do not count', async () => {
    const { targets, bad, problems } = await read('\r\n  \nnot-an-email\r\na@example.com');

    expect(targets).toMatchObject([{ email: 'a@example.com' }]);
    expect(bad).toBe(1);
    expect(problems).toEqual(['Line 3 is neither a valid email, a digest nor a receipt']);
  });

  it('are no more than memory holds', async () => {
    await expect(read('a@example.com\n'.repeat(100_001))).rejects.toThrow(
      'more than 100000 lines: nothing was done, split them',
    );
  });
});
