import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { untilStatus, withBuiltService } from './built-service';

const screenshot = '.local/docs/swagger-ui.png';
/** A host of the browser's own: unlike localhost, nothing exempts it from what a policy says of plain HTTP. */
const otherHost = 'docs.test';

// Helmet's headers that isolate the page from others. Without HTTPS a browser says that it ignores them, and does nothing else.
const ONLY_FOR_HTTPS =
  /^The Cross-Origin-Opener-Policy header has been ignored|the Origin-Agent-Cluster header/;

/** Opens the documentation as a reader does, registers the example from there, and looks at what the browser complains of. */
async function checkDocs(_service: ChildProcess, port: number): Promise<void> {
  const browser = await chromium.launch({
    executablePath: process.env['CHROME_PATH'] ?? '',
    args: [`--host-resolver-rules=MAP ${otherHost} 127.0.0.1`],
  });
  try {
    await tryOut(browser, `http://localhost:${port}`);
    await untilStatus(`http://127.0.0.1:${port}/api/users/john.doe@example.com`, 200);
    await refusesForeignScripts(browser, `http://localhost:${port}`);
    await renders(browser, `http://${otherHost}:${port}`);
  } finally {
    await browser.close();
  }
}

async function tryOut(browser: Browser, url: string): Promise<void> {
  const { page, complaints } = await open(browser, url);
  const operation = page.locator('#operations-Users-registerUser');
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const status = await operation.locator('.live-responses-table .response-col_status').last().innerText();
  mkdirSync('.local/docs', { recursive: true });
  await page.screenshot({ path: screenshot, fullPage: true });

  if (!status.startsWith('201')) throw new Error(`"Try it out" was answered ${status}`);
  if (complaints.length > 0) throw new Error(`the browser complains:\n${complaints.join('\n')}`);
  console.log(`ok  /api/docs registers its example, without a complaint of the browser: ${screenshot}`);
}

/** Proves that a violated policy is seen. */
async function refusesForeignScripts(browser: Browser, url: string): Promise<void> {
  const { page, complaints } = await open(browser, url);
  await page.evaluate(`document.body.append(Object.assign(document.createElement('script'), { text: '1' }))`);
  await page.waitForTimeout(0);
  if (!complaints.some((complaint) => complaint.includes('Content Security Policy'))) {
    throw new Error('a script inside the page was let through, or nobody saw that it was not');
  }
  console.log('ok  a script inside the page is refused');
}

async function renders(browser: Browser, url: string): Promise<void> {
  const { complaints } = await open(browser, url);
  const others = complaints.filter((complaint) => !ONLY_FOR_HTTPS.test(complaint));
  if (others.length > 0) throw new Error(`the browser complains on ${url}:\n${others.join('\n')}`);
  console.log('ok  it renders on a host without HTTPS, too; the browser only ignores what is for HTTPS');
}

/** The page, rendered, and all errors and warnings that the browser's console has shown since. */
async function open(browser: Browser, url: string): Promise<{ page: Page; complaints: string[] }> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`not loaded: ${request.url()}`));
  await page.goto(`${url}/api/docs`);
  await page.locator('.opblock').first().waitFor();
  return { page, complaints };
}

withBuiltService(checkDocs).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
