import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import dotenv from 'dotenv';
import { scenarios } from '../../dev/faults/scenarios/all';
import { eventually } from '../support/eventually';
import { startService } from '../support/harness';
import { blocks, README } from '../support/readme';
import { withRedis } from '../support/test-servers';

const run = promisify(execFile);

/** What differs from run to run. */
const normalised = (answer: string): unknown =>
  JSON.parse(
    answer
      .replace(/"(id|uptime|timestamp)":[\d.]+/g, '"$1":0')
      .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"time"'),
  );

const pages = [
  'README.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (page: string): string[] =>
  [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading ?? '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('README', () => {
  it('shows curl commands and their real answers', async () => {
    const service = await startService();
    await withRedis(service.env, (redis) => redis.flushdb());
    const steps = blocks('console').flatMap((block) =>
      [...block.matchAll(/^\$ (.+)\n(.+)$/gm)].map((match) => ({
        command: match[1] ?? '',
        answer: match[2] ?? '',
      })),
    );
    expect(steps.length).toBeGreaterThan(8);

    for (const { command, answer } of steps) {
      const here = command.replaceAll('localhost:8000', service.url);
      const ask = async (): Promise<void> => {
        const { stdout } = await run('sh', ['-c', here]);
        expect(normalised(stdout)).toEqual(normalised(answer));
      };
      // Only a read may have to wait for the row; a POST must not be repeated until it fits.
      await (command.includes(' -d ') ? ask() : eventually(ask));
    }
  });

  it('lists every environment variable with its default', () => {
    const rows = [...README.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\|/gm)];
    const listed = Object.fromEntries(rows.map((match) => [match[1], match[2] ?? '']));

    expect(listed).toEqual(dotenv.parse(readFileSync('.env.example')));
  });

  it('names only tests that there are', () => {
    const named = [...README.matchAll(/`(tests\/[^`]+)`/g)].map(([, file]) => file ?? '');

    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('has a line for every fault that the harness knows', () => {
    const table = /<!-- faults -->(.*)<!-- \/faults -->/s.exec(README)?.[1] ?? '';
    const listed = [...table.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|/gm)].map(([, name, title]) => ({
      name,
      title,
    }));

    expect(listed).toEqual(scenarios.map(({ name, title }) => ({ name, title })));
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...README.matchAll(/npm (?:run )?([a-z:]+)/g)].map((match) => match[1] ?? '');

    expect(named.filter((name) => !['ci'].includes(name) && !(name in scripts))).toEqual([]);
  });

  it('names only files that exist, and so do the pages in docs', () => {
    const paths = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/`((?:src|tests|k8s|dev|docs|\.ci)\/[\w./-]+)`/g)].map(
        (match) => match[1] ?? '',
      ),
    );

    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('links only to files and headings that exist, and so do the pages in docs', () => {
    const links = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(
        ([, path, anchor]) => ({ file: path ? join(dirname(page), path) : page, anchor }),
      ),
    );

    expect(links.length).toBeGreaterThan(20);
    expect(
      links.filter(({ file, anchor }) => !existsSync(file) || (anchor && !anchors(file).includes(anchor))),
    ).toEqual([]);
  });

  it('shows the schema of migration 001', () => {
    const squeeze = (text: string): string => text.replace(/IF NOT EXISTS /g, '').replace(/\s+/g, ' ');
    const migration = readFileSync('migrations/001_create_users.sql', 'utf8').replace(/^--.*$/gm, '');

    expect(squeeze(migration)).toContain(squeeze(blocks('sql')[0] ?? 'no schema').trim());
  });
});
