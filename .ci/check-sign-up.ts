import { mkdirSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { LocalServer } from '../dev/local-stack/local-server';
import { chooseFreePort } from '../dev/local-stack/ports';
import { startSignUpPage } from '../dev/sign-up-page';
import { withBuiltService } from './built-service';
import { assert, screenshots, somebody, Visit } from './sign-up-visit';

const LABELS = ['First name', 'Last name', 'Email', 'Gender', 'Sex', 'Occupation'];

async function showsErrors(browser: Browser, url: string): Promise<void> {
  const visit = await Visit.of(browser, url);
  await visit.page.locator('#firstName').press('Enter');
  await visit.says('Please correct what is marked.');
  const all = await visit.errors();
  assert(
    String(all) === String(LABELS.map((label) => `${label} is required`)),
    `the errors of an empty form: ${String(all)}`,
  );
  await visit.focusIsOn('firstName');
  await visit.look('errors');

  await visit.fillIn({ ...somebody('too.long'), firstName: 'x'.repeat(10_000) });
  await visit.register();
  await visit.says('Please correct what is marked.');
  const [first, ...others] = await visit.errors();
  assert(first?.startsWith('First name length must be') === true, `the error of a long name: ${first ?? ''}`);
  assert(others.join('') === '', `errors of fields that are right: ${String(others)}`);
  visit.end('each field shows its error, and the first one has the focus');
}

async function registers(browser: Browser, url: string): Promise<void> {
  const visit = await Visit.of(browser, url);
  const { keyboard } = visit.page;
  await keyboard.press('Tab'); // The link to the API.
  for (const text of ['Jane', 'Doe', 'jane.doe@example.com', 'female', 'female', 'Pilot']) {
    await keyboard.press('Tab');
    await keyboard.type(text);
  }
  await keyboard.press('Enter');
  await visit.says('Stored: jane.doe@example.com is registered.');
  await visit.focusIsOn('progress');
  await visit.look('stored');

  await visit.register();
  await visit.says('This email is already registered.');
  const errors = await visit.errors();
  assert(
    String(errors) === ',,This email is already registered.,,,',
    `the errors of a 409: ${String(errors)}`,
  );
  await visit.focusIsOn('email');
  visit.end('somebody is registered without a mouse, and only once');
}

async function sendsOnce(browser: Browser, url: string, api: string): Promise<void> {
  const visit = await Visit.of(browser, url, { viewport: { width: 320, height: 640 }, colorScheme: 'dark' });
  const person = somebody('double.click');
  await visit.fillIn(person);
  await visit.page.getByRole('button', { name: 'Register' }).dblclick();
  await visit.says('Stored: ');
  assert(visit.keys.length === 1, `a double click sent ${visit.keys.length} requests`);
  const width = await visit.page.evaluate(() => document.documentElement.scrollWidth);
  assert(width <= 320, `a narrow screen has to scroll: ${width} px`);
  await visit.look('narrow');

  const row = await (await fetch(`${api}/api/users/${person.email}`)).text();
  const missing = Object.values(person).filter((text) => !row.includes(`"${text}"`));
  assert(missing.length === 0, `not stored as typed: ${String(missing)}`);
  visit.end('a double click sends once, on a narrow and dark screen; what is typed is stored');
}

async function staysSafeWithoutService(browser: Browser, url: string): Promise<void> {
  const visit = await Visit.of(browser, url);
  await visit.fillIn(somebody('no.service'));
  await visit.page.context().setOffline(true);
  await visit.register();
  await visit.says('The service does not respond.');
  await visit.page.getByRole('button', { name: 'Stop' }).click();
  await visit.says('It is not known');
  await visit.focusIsOn('progress');
  await visit.page.context().setOffline(false);
  // As at the rate limit, which is far away here.
  const headers = {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': 'Retry-After',
    'Retry-After': '2',
  };
  await visit.page.route('**/api/users', (route) => route.fulfill({ status: 429, headers }), { times: 1 });
  await visit.register();
  await visit.says('Too many requests from this address.');
  await visit.says('Next attempt in', 'timer');
  await visit.says('Stored: ');
  assert(new Set(visit.keys).size === 1, 'one registration was sent with several keys');
  visit.end('without a service, and at the rate limit, it waits and goes on with the same key');
}

async function waitsForKafka(browser: Browser, url: string, kafka: LocalServer | undefined): Promise<void> {
  const [waiting, reloaded] = [await Visit.of(browser, url), await Visit.of(browser, url)];
  await kafka?.freeze();
  for (const [visit, name] of [
    [waiting, 'waiting'],
    [reloaded, 'reloaded'],
  ] as const) {
    await visit.fillIn(somebody(name));
    await visit.register();
  }
  for (const visit of [waiting, reloaded]) await visit.says('The service cannot confirm the registration');
  await waiting.says('Next attempt in', 'timer');
  await waiting.look('unavailable');
  await reloaded.page.reload();
  await reloaded.says('It is not known');
  await kafka?.thaw();

  await reloaded.register();
  for (const visit of [waiting, reloaded]) {
    await visit.says('Stored: ');
    assert(visit.keys.length > 1 && new Set(visit.keys).size === 1, `keys: ${String(visit.keys)}`);
    visit.end('while Kafka is frozen it waits; then it is registered once, after a reload as well');
  }
}

async function checkSignUp(api: string, pagePort: number, kafka: LocalServer | undefined): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  const server = await startSignUpPage(pagePort, api);
  const browser = await chromium.launch({ executablePath: process.env['CHROME_PATH'] ?? '' });
  const url = `http://localhost:${pagePort}`;
  try {
    await showsErrors(browser, url);
    await registers(browser, url);
    await sendsOnce(browser, url, api);
    await staysSafeWithoutService(browser, url);
    await waitsForKafka(browser, url, kafka);
  } finally {
    await browser.close();
    server.close();
  }
}

async function main(): Promise<void> {
  const pagePort = await chooseFreePort();
  const variables = {
    FRONTEND_URL: `http://localhost:${pagePort}`,
    RATE_LIMIT_MAX: '100000',
    LOG_LEVEL: 'error',
  };
  await withBuiltService(
    (_service, port, stack) => checkSignUp(`http://localhost:${port}`, pagePort, stack.servers.kafka),
    variables,
  );
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
