import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What each part of src/ may import of the others. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  main: ['compose', 'config', 'observability', 'runtime', 'services'],
  migrate: ['config', 'observability', 'postgres'],
  tools: ['config', 'domain', 'kafka', 'observability', 'postgres', 'redis', 'runtime', 'services'],
  compose: ['config', 'http', 'kafka', 'observability', 'postgres', 'redis', 'routes', 'runtime', 'services'],
  config: [],
  domain: [],
  runtime: [],
  observability: ['domain', 'runtime', 'services'],
  services: ['domain', 'runtime'],
  routes: ['domain', 'services', 'http', 'openapi'],
  http: ['domain', 'services', 'runtime'],
  openapi: ['domain', 'services', 'http'],
  kafka: ['domain', 'runtime', 'services'],
  redis: ['domain', 'runtime', 'services'],
  postgres: ['domain', 'runtime', 'services'],
};

const TOOLS = path.join('tools', 'run-tool.ts');

const TECHNOLOGIES = [
  'express',
  'pg',
  'ioredis',
  'kafkajs',
  'winston',
  'helmet',
  'cors',
  'express-rate-limit',
  'prom-client',
  '@opentelemetry',
];

interface Import {
  readonly file: string;
  readonly part: string;
  readonly target: string;
  readonly isTypeOnly: boolean;
  readonly isDynamic: boolean;
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
  /(?<!\.d)\.ts$/.test(file),
);

const partOf = (file: string): string => file.split(path.sep)[0]?.replace(/\.ts$/, '') ?? '';

const imports = files.flatMap((file): Import[] => {
  const source = readFileSync(path.join('src', file), 'utf8');
  const found = source.matchAll(/^(import|export)( type)?\s[^;]*?from '([^']+)'|\bimport\('([^']+)'\)/gms);
  return [...found].map((match) => ({
    file,
    part: partOf(file),
    target: match[3] ?? match[4] ?? '',
    isTypeOnly: match[2] !== undefined,
    isDynamic: match[4] !== undefined,
  }));
});

const internal = imports
  .filter(({ target }) => target.startsWith('.'))
  .map((each) => ({ ...each, to: partOf(path.join(path.dirname(each.file), each.target)) }))
  .filter(({ part, to }) => part !== to);

describe('architecture', () => {
  it('sees the imports it judges', () => {
    expect(internal.length).toBeGreaterThan(60);
  });

  it('has only parts that are listed here', () => {
    expect([...new Set(files.map(partOf))].sort()).toEqual(Object.keys(ALLOWED).sort());
  });

  it('imports in one direction only; adapters know the settings by type alone', () => {
    const wrong = internal.filter(({ part, to, isTypeOnly }) => {
      const mayNameItsType = to === 'config' && isTypeOnly;
      return !mayNameItsType && !ALLOWED[part]?.includes(to);
    });

    expect(wrong).toEqual([]);
  });

  it('keeps technologies out of services, domain and runtime, types included', () => {
    const wrong = imports.filter(
      ({ part, target }) =>
        ['services', 'domain', 'runtime'].includes(part) && TECHNOLOGIES.includes(target.split('/')[0] ?? ''),
    );

    expect(wrong).toEqual([]);
  });

  it('loads OpenTelemetry only on demand: without tracing it costs neither time nor memory', () => {
    const users = imports
      .filter(({ target }) => target.startsWith('@opentelemetry/'))
      .map(({ file }) => file);
    const names = new Set(users.map((file) => path.basename(file, '.ts')));
    const importers = imports.filter(
      ({ file, target }) => names.has(path.basename(target, '.js')) && !users.includes(file),
    );

    expect([...names].sort()).toEqual(['tracer-provider', 'tracing']);
    expect(importers.length).toBeGreaterThan(0);
    expect(importers.filter(({ isDynamic }) => !isDynamic)).toEqual([]);
  });

  it('loads kafkajs in one place, after its patches', () => {
    const users = imports
      .filter(({ target, isTypeOnly }) => target === 'kafkajs' && !isTypeOnly)
      .map(({ file }) => file);

    expect([...new Set(users)]).toEqual([path.join('kafka', 'kafkajs.ts')]);
  });

  it.each([
    ['process.env', ['main.ts', 'migrate.ts', TOOLS]],
    ['process.exit', ['main.ts', 'migrate.ts', TOOLS, path.join('runtime', 'signals.ts')]],
    ['process.on(', ['main.ts', path.join('runtime', 'signals.ts')]],
    ['console.', []],
  ])('uses %s only where it belongs', (text, allowed) => {
    const users = files.filter((file) => readFileSync(path.join('src', file), 'utf8').includes(text));

    expect(users.filter((file) => !allowed.includes(file))).toEqual([]);
  });

  it('knows nothing of dev/ and tests/', () => {
    expect(imports.filter(({ target }) => /\.\.\/(dev|tests)\b/.test(target))).toEqual([]);
  });
});
