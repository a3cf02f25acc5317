import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import dotenv from 'dotenv';
import { scenarios } from '../../dev/faults/scenarios/all';
import { startService } from '../support/harness';
import { blocks, DOCS, headings, PAGES, readPage } from '../support/readme';
import { withRedis } from '../support/test-servers';

const run = promisify(execFile);

/** What differs from run to run. */
const normalised = (answer: string): unknown =>
  JSON.parse(
    answer
      .replace(/"(id|uptime|timestamp)":[\d.]+/g, '"$1":0')
      .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"time"'),
  );

const HEADINGS = [
  '# User Registration Backend API',
  '## Architecture',
  '## Data Flow',
  '## Features',
  '## API Endpoints',
  '### Health Checks',
  '#### GET /api/health',
  '#### GET /api/health/live',
  '#### GET /api/health/ready',
  '### User Management',
  '#### POST /api/users',
  '#### GET /api/users',
  '#### GET /api/users/:email',
  '## Environment Variables',
  '## Local Development',
  '### Prerequisites',
  '### Setup',
  '### Running with Docker',
  '## Testing',
  '## Database Schema',
  '### users table',
  '## Redis Keys',
  '## Kafka Topics',
  '## Security Features',
  '## Monitoring',
  '### Health Checks',
  '### Logging',
  '### Metrics',
  '## Performance Optimization',
  '## Deployment',
  '### Build Image',
  '### Push to ECR',
  '### Deploy to Kubernetes',
  '## Troubleshooting',
  '### Cannot connect to PostgreSQL',
  '### Cannot connect to Redis',
  '### Kafka connection issues',
  '### High memory usage',
  '## Contributing',
  '## License',
];

/** The anchors of a page's headings, as GitHub makes them. */
const anchors = (page: string): string[] =>
  headings(page).map((heading) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

/** README's first session: what is pasted, and what it prints. */
function firstSession(): { commands: string; answers: string[] } {
  const section = /^### A first session\n.*?^```bash\n(.*?)^```\n\n^```text\n(.*?)^```/ms;
  const [, commands = '', answers = ''] = section.exec(readPage('README.md')) ?? [];
  return { commands, answers: linesOf(answers) };
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

describe('README', () => {
  it('has a first session that prints what it says, pasted as a whole', async () => {
    const service = await startService();
    await withRedis(service.env, (redis) => redis.flushdb());
    const { commands, answers } = firstSession();
    expect(commands).toContain('http://localhost:8000/api/users');

    const pasted = commands.replaceAll('http://localhost:8000', service.url);
    const { stdout } = await run('bash', ['-c', pasted], { timeout: 20_000 });

    expect(answers.length).toBeGreaterThan(3);
    expect(linesOf(stdout).map(normalised)).toEqual(answers.map(normalised));
  });

  it('is short, and has every heading of the specification in its order', () => {
    expect(readPage('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(220);
    expect(headings('README.md').filter((heading) => HEADINGS.includes(heading))).toEqual(HEADINGS);
  });
});

describe('README and the pages in docs', () => {
  it('list every environment variable with its default', () => {
    const rows = [...DOCS.matchAll(/^\| `([A-Z_]+)` \| (?:`([^`]*)`)? ?\|/gm)];
    const listed = Object.fromEntries(rows.map((match) => [match[1], match[2] ?? '']));

    expect(listed).toEqual(dotenv.parse(readFileSync('.env.example')));
  });

  it('name only tests that there are', () => {
    const named = [...DOCS.matchAll(/`(tests\/[^`]+)`/g)].map(([, file]) => file ?? '');

    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('have a line for every fault that the harness knows', () => {
    const table = /<!-- faults -->(.*)<!-- \/faults -->/s.exec(DOCS)?.[1] ?? '';
    const listed = [...table.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|/gm)].map(([, name, title]) => ({
      name,
      title,
    }));

    expect(listed).toEqual(scenarios.map(({ name, title }) => ({ name, title })));
  });

  it('name only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...DOCS.matchAll(/npm (?:run )?(?:--silent )?([a-z:]+)/g)].map((match) => match[1] ?? '');

    expect(named.filter((name) => !['ci'].includes(name) && !(name in scripts))).toEqual([]);
  });

  it('name only files that exist', () => {
    const paths = [...DOCS.matchAll(/`((?:src|tests|k8s|dev|docs|\.ci)\/[\w./-]+)`/g)].map(
      ([, path]) => path ?? '',
    );

    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  it('link only to files and headings that exist', () => {
    const links = PAGES.flatMap((page) =>
      [...readPage(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].map(([, path, anchor]) => ({
        from: page,
        file: path ? join(dirname(page), path) : page,
        anchor,
      })),
    );

    expect(links.length).toBeGreaterThan(100);
    expect(
      links.filter(({ file, anchor }) => !existsSync(file) || (anchor && !anchors(file).includes(anchor))),
    ).toEqual([]);
  });

  it('are all in the index', () => {
    const index = readPage('README.md').split('## Documentation')[1] ?? '';
    const isListed = (page: string): boolean => index.includes(`](${page})`);

    expect(PAGES.filter((page) => dirname(page) === 'docs' && !isListed(page))).toEqual([
      'docs/changelog.md',
    ]);
  });

  it('show the schema of migration 001', () => {
    const squeeze = (text: string): string => text.replace(/IF NOT EXISTS /g, '').replace(/\s+/g, ' ');
    const migration = readFileSync('migrations/001_create_users.sql', 'utf8').replace(/^--.*$/gm, '');

    expect(squeeze(migration)).toContain(squeeze(blocks('sql')[0] ?? 'no schema').trim());
  });
});
