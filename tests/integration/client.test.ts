import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import ts from 'typescript';
import type { Registration } from '../../src/domain/registration';
import { buildRegistration } from '../support/builders';
import { eventually } from '../support/eventually';
import { startService, type TestService } from '../support/harness';
import { blocks, readPage } from '../support/readme';
import { runEntryPoint } from '../support/service-process';
import { sql } from '../support/test-servers';

const TYPES = 'docs/client/api.d.ts';
const [EXAMPLE = 'no example'] = blocks('ts', readPage('docs/front-end.md'));

async function inFolder<T>(work: (folder: string) => T): Promise<Awaited<T>> {
  const folder = mkdtempSync(join(tmpdir(), 'client-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the compiler says of a front end's file beside the types, as strictly as it can. */
function complaintsOf(source: string): Promise<string[]> {
  return inFolder((folder) => {
    copyFileSync(TYPES, join(folder, 'api.d.ts'));
    const file = join(folder, 'register.ts');
    writeFileSync(file, source);
    const program = ts.createProgram([file], {
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      noUnusedLocals: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: [],
    });
    return ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  });
}

type SetTimeout = (run: () => void, ms: number) => unknown;
type Register = (registration: Registration, key?: string) => Promise<unknown>;

/** The client of docs/front-end.md, calling this service by this `fetch`, and waiting by this `setTimeout`. */
function loadExample(
  service: TestService,
  fetchLike: typeof fetch = fetch,
  setTimeoutLike: SetTimeout = setTimeout,
): Register {
  const source = EXAMPLE.replaceAll('http://localhost:8000', service.url);
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.CommonJS } });
  const exported: { register?: Register } = {};
  runInNewContext(outputText, { exports: exported, fetch: fetchLike, crypto, setTimeout: setTimeoutLike });
  if (exported.register === undefined) throw new Error('docs/front-end.md exports no register');
  return exported.register;
}

/** Answers POSTs with these before it lets one through; keeps the idempotency keys. */
function answeringFirst(...answers: Response[]): { fetch: typeof fetch; keys: unknown[] } {
  const keys: unknown[] = [];
  return {
    keys,
    fetch: (input, init) => {
      if (init?.method !== 'POST') return fetch(input, init);
      keys.push(new Headers(init.headers).get('Idempotency-Key'));
      const answer = answers.shift();
      return answer ? Promise.resolve(answer) : fetch(input, init);
    },
  };
}

const errorResponse = (status: number, headers: HeadersInit = {}): Response =>
  Response.json({ success: false, error: `failed with ${status}` }, { status, headers });

describe('docs/client/api.d.ts', () => {
  it('is what npm run client:types makes of the OpenAPI document', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'api.d.ts');
      expect(await runEntryPoint('dev/client-types.ts', {}, [file])).toMatchObject({ code: 0 });

      expect(readFileSync(TYPES, 'utf8')).toBe(readFileSync(file, 'utf8'));
    });
  });
});

describe('the types', () => {
  it.each([
    ["['schemas']['Problem']['code']", 'already_registered', 'taken'],
    [
      "['responses']['Conflict']['content']['application/problem+json']['code']",
      'request_in_progress',
      'internal',
    ],
  ])('have the codes of errors as words of their own: %s', async (type, code, wrong) => {
    const assigning = (word: string): string =>
      `import type { components } from './api';\nexport const code: components${type} = '${word}';`;

    expect(await complaintsOf(assigning(code))).toEqual([]);
    expect(await complaintsOf(assigning(wrong))).not.toEqual([]);
  });
});

describe('the client of docs/front-end.md', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startService();
  });

  it('compiles against the types, as strictly as can be', async () => {
    expect(await complaintsOf(EXAMPLE)).toEqual([]);
  });

  it.each([
    ["data.status !== 'pending'", "data.status !== 'waiting'"],
    ["['Registration']", "['Submission']"],
    ["email, status: 'pending'", "email, state: 'pending'"],
  ])('would not compile with a mistake: %s', async (right, wrong) => {
    expect(EXAMPLE).toContain(right);
    expect(await complaintsOf(EXAMPLE.replace(right, wrong))).not.toEqual([]);
  });

  it('registers and waits for the row', async () => {
    const registration = buildRegistration();

    const outcome = await loadExample(service)(registration);

    expect(outcome).toEqual({ email: registration.email, status: 'completed' });
    expect(await sql(service.env, 'SELECT email FROM users')).toContainEqual({ email: registration.email });
  });

  it('sends the same again with the same key after 503 and 409 with Retry-After', async () => {
    const registration = buildRegistration();
    const soon = { 'Retry-After': '0' };
    const flaky = answeringFirst(errorResponse(503, soon), errorResponse(409, soon));

    const outcome = await loadExample(service, flaky.fetch)(registration);

    expect(outcome).toMatchObject({ status: 'completed' });
    expect(flaky.keys).toHaveLength(3);
    expect(new Set(flaky.keys).size).toBe(1);
  });

  it('sends the same again with the same key when the answer is lost, and is registered once', async () => {
    const registration = buildRegistration();
    const keys: unknown[] = [];
    const losing: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (init?.method !== 'POST') return answer;
      keys.push(new Headers(init.headers).get('Idempotency-Key'));
      if (keys.length > 1) return answer;
      await eventually(() => service.http.get(`/api/users/${registration.email}`).expect(200));
      throw new TypeError('fetch failed');
    };

    const outcome = await loadExample(service, losing)(registration);

    expect(outcome).toEqual({ email: registration.email, status: 'completed' });
    expect(keys).toEqual([expect.any(String), keys[0]]);
  });

  it('waits as long as it is told, or a little longer each time; then the page may go on with the same key', async () => {
    const registration = buildRegistration();
    const waits: number[] = [];
    const keys: unknown[] = [];
    const unreachable: typeof fetch = (_input, init) => {
      keys.push(new Headers(init?.headers).get('Idempotency-Key'));
      const isBusy = keys.length === 2;
      return isBusy
        ? Promise.resolve(errorResponse(503, { 'Retry-After': '7' }))
        : Promise.reject(new TypeError('fetch failed'));
    };
    const hurried: SetTimeout = (run, ms) => {
      waits.push(ms);
      setImmediate(run);
    };

    const giveUp = loadExample(service, unreachable, hurried)(registration, 'one-form');
    await expect(giveUp).rejects.toThrow('No answer');

    expect(waits).toEqual([1000, 7000, 3000, 4000]);
    expect(keys).toEqual(Array(5).fill('one-form'));
  });

  it('throws what the API says, at once, when the email is registered or the input wrong', async () => {
    const counted = answeringFirst();
    const register = loadExample(service, counted.fetch);
    const registration = buildRegistration();
    await register(registration);

    await expect(register(registration)).rejects.toThrow('User already registered');
    await expect(register({ ...registration, email: 'john' })).rejects.toThrow(
      'Validation error: email must be a valid email',
    );

    expect(counted.keys).toHaveLength(3);
  });

  it('gives up after five tries, and does not wait out the rate limit', async () => {
    const always503 = Array.from({ length: 9 }, () => errorResponse(503, { 'Retry-After': '0' }));
    const unavailable = answeringFirst(...always503);
    const limited = answeringFirst(errorResponse(429, { 'Retry-After': '900' }));

    await expect(loadExample(service, unavailable.fetch)(buildRegistration())).rejects.toThrow(
      'failed with 503',
    );
    await expect(loadExample(service, limited.fetch)(buildRegistration())).rejects.toThrow('failed with 429');

    expect(unavailable.keys).toHaveLength(5);
  });
});
