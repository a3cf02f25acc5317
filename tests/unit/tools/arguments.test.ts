import { parseDlqArguments } from '../../../src/tools/dlq-arguments';
import { createEventsTool } from '../../../src/tools/events';
import { parsePrivacyArguments } from '../../../src/tools/privacy-arguments';
import { createExport } from '../../../src/tools/export';
import { RECONCILE } from '../../../src/tools/reconcile';

const usageError = (message: string): Error =>
  expect.objectContaining({ name: 'UsageError', message }) as Error;

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');

const EVENTS = createEventsTool(new AbortController().signal);

describe('dlq', () => {
  it.each<[string, object]>([
    ['list', { name: 'list', filter: {}, json: false }],
    [
      'list --json --reason conflict --reason invalid',
      { filter: { reasons: ['conflict', 'invalid'] }, json: true },
    ],
    ['list --since 2026-11-23', { filter: { since: Date.UTC(2026, 10, 23) } }],
    ['list --until 2026-11-23T21:30:00+02:00', { filter: { until: Date.UTC(2026, 10, 23, 19, 30) } }],
    ['list --email JOHN@Example.com', { filter: { email: 'john@example.com' } }],
    ['show 2:17', { name: 'show', id: { partition: 2, offset: 17n } }],
    [
      'replay 0:1 2:3 --dry-run',
      {
        name: 'replay',
        dryRun: true,
        filter: {
          ids: [
            { partition: 0, offset: 1n },
            { partition: 2, offset: 3n },
          ],
        },
      },
    ],
    ['replay', { name: 'replay', dryRun: false, filter: {} }],
    ['purge --all', { name: 'purge', before: undefined, confirmed: false }],
    ['purge --before 2026-11-23 --yes', { before: Date.UTC(2026, 10, 23), confirmed: true }],
  ])('understands %s', (line, expected) => {
    expect(parseDlqArguments(words(line))).toMatchObject(expected);
  });

  it.each([
    ['', 'the command must be list, show, replay or purge'],
    ['drop', 'the command must be list, show, replay or purge'],
    ['list --jsn', "Unknown option '--jsn'"],
    ['list --reason', "Option '--reason <value>' argument missing"],
    ['list --reason bad', '--reason must be one of conflict, invalid, unstorable'],
    ['list --since yesterday', '--since must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z'],
    [
      'list --until 2026-11-23T21:30',
      '--until must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z',
    ],
    ['list --since 2026-13-01', '--since must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z'],
    ['list --email john', '--email must be a valid email'],
    ['list 17', 'an id is partition:offset, such as 0:17'],
    ['list --dry-run', "Unknown option '--dry-run'"],
    ['show', 'show takes one id'],
    ['show 0:1 0:2', 'show takes one id'],
    ['purge', 'purge takes either --before <time> or --all'],
    ['purge --all --before 2026-11-23', 'purge takes either --before <time> or --all'],
    ['purge --all 0:17', 'purge takes no ids: Kafka deletes from the oldest on'],
  ])('rejects "%s"', (line, problem) => {
    expect(() => parseDlqArguments(words(line))).toThrow(usageError(problem));
  });
});

describe('reconcile', () => {
  it.each<[string, object]>([
    ['', { olderThanMs: 600_000, publish: false, showEmails: false }],
    ['--older-than 0.5 --publish --show-emails', { olderThanMs: 30_000, publish: true, showEmails: true }],
  ])('understands "%s"', (line, expected) => {
    expect(RECONCILE.parse(words(line))).toEqual({ name: 'reconcile', ...expected });
  });

  it.each([
    ['--older-than soon', '--older-than must be a number of minutes'],
    ['--older-than=-1', '--older-than must be a number of minutes'],
    ['now', 'reconcile takes only options'],
  ])('rejects "%s"', (line, problem) => {
    expect(() => RECONCILE.parse(words(line))).toThrow(usageError(problem));
  });
});

describe('events', () => {
  it.each([
    ['backfill', -(2 ** 53)],
    ['backfill --from-id 17', 17],
    ['backfill --from-id=-17', -17],
  ])('understands %s', (line, fromId) => {
    expect(EVENTS.parse(words(line))).toEqual({ name: 'backfill', fromId });
  });

  it.each([
    ['', 'the command must be backfill'],
    ['replay', 'the command must be backfill'],
    ['backfill 17', 'backfill takes only options'],
    ['backfill --from-id x', '--from-id must be a number'],
  ])('rejects "%s"', (line, message) => {
    expect(() => EVENTS.parse(words(line))).toThrow(usageError(message));
  });
});

describe('privacy', () => {
  it.each<[string, object]>([
    ['show JOHN@Example.com', { name: 'show', email: 'john@example.com' }],
    [
      'erase a@example.com b@example.com --yes',
      { targets: [{ email: 'a@example.com' }, { email: 'b@example.com' }], confirmed: true },
    ],
    [`erase sha256:${'0'.repeat(64)}`, { targets: [{ digest: '0'.repeat(64) }], confirmed: false }],
    ['erase --stdin', { name: 'erase', targets: undefined, confirmed: false }],
    [
      'expire --created-before 2020-01-01 --yes',
      { name: 'expire', before: new Date('2020-01-01'), confirmed: true },
    ],
  ])('understands %s', (line, expected) => {
    expect(parsePrivacyArguments(words(line))).toMatchObject(expected);
  });

  it.each([
    ['', 'the command must be show, erase or expire'],
    ['show', 'show takes one valid email'],
    ['show john', 'show takes one valid email'],
    ['show a@example.com b@example.com', 'show takes one valid email'],
    ['erase', 'erase takes either emails or --stdin'],
    ['erase --yes', 'erase takes either emails or --stdin'],
    ['erase a@example.com --stdin', 'erase takes either emails or --stdin'],
    ['erase a@example.com john', 'argument 2 of erase is neither a valid email nor sha256:<digest>'],
    ['expire', 'expire takes --created-before <time>, a time in the past'],
    ['expire --created-before 9999-01-01', 'expire takes --created-before <time>, a time in the past'],
    ['expire 2020-01-01', 'expire takes --created-before <time>, a time in the past'],
    [
      'expire --created-before soon',
      '--created-before must be an ISO time such as 2026-11-23 or 2026-11-23T21:30:00Z',
    ],
  ])('rejects "%s"', (line, problem) => {
    expect(() => parsePrivacyArguments(words(line))).toThrow(usageError(problem));
  });
});

describe('export', () => {
  const { parse } = createExport(new AbortController().signal);
  const cursor = Buffer.from('1,2').toString('base64url');

  it('understands its options', () => {
    expect(parse([])).toMatchObject({ page: { limit: 1000, offset: 0 }, header: '' });
    expect(
      parse(
        words(
          `--created-from 2026-11-01T01:00:00.000001+01:00 --created-before 2026-12-01T00:00:00Z --cursor ${cursor}`,
        ),
      ),
    ).toMatchObject({
      page: {
        createdFrom: '2026-11-01T00:00:00.000001Z',
        createdBefore: '2026-12-01T00:00:00.000000Z',
        after: { createdAtMicros: '1', id: 2 },
      },
    });
    expect(parse(words('--format csv'))).toMatchObject({
      header: expect.stringMatching(/^id,first_name,.*\r\n$/) as string,
    });
    expect(parse(words(`--format csv --cursor ${cursor}`))).toMatchObject({ header: '' });
  });

  it.each([
    ['users', 'export takes only options'],
    ['--format xml', '--format must be ndjson or csv'],
    ['--raw', '--raw needs --format csv'],
    ['--format ndjson --raw', '--raw needs --format csv'],
    ['--created-from 2026-11-01', '--created-from must be a time such as 2026-11-01T00:00:00Z'],
    ['--created-before 2026-11-31T00:00:00Z', '--created-before must be a time such as 2026-11-01T00:00:00Z'],
    ['--cursor 1,2', '--cursor must be one that a Link header of this list gave'],
    ['--limit 5', "Unknown option '--limit'"],
  ])('rejects "%s"', (line, problem) => {
    expect(() => parse(words(line))).toThrow(usageError(problem));
  });
});
