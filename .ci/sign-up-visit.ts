import { type Browser, type Page } from 'playwright-core';
import { deadlineMs } from './built-service';

/** Where the screenshots go. */
export const screenshots = '.local/sign-up';
/** The browser's own line for a response of 4xx or 5xx, or none. */
const FAILED_REQUEST = /^Failed to load resource: /;

/** Somebody with emoji and letters from right to left, whose email is this one. */
export const somebody = (name: string) => ({
  firstName: 'Zoë 👩🏽‍🚀',
  lastName: 'بن علي',
  email: `${name}@example.com`,
  gender: 'prefer-not-to-say',
  sex: 'intersex',
  occupation: 'Ingénieure 工程师',
});

/** Throws an Error with this message unless the condition holds. */
export function assert(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

/** The sign-up page in a browser window of its own, and what has happened there. */
export class Visit {
  /** The Idempotency-Key of each POST. */
  readonly keys: (string | undefined)[] = [];
  private readonly complaints: string[] = [];

  private constructor(readonly page: Page) {
    page.setDefaultTimeout(deadlineMs);
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      const isComplaint = ['error', 'warning'].includes(message.type());
      if (isComplaint && !FAILED_REQUEST.test(message.text())) this.complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (request.method() === 'POST') this.keys.push(request.headers()['idempotency-key']);
    });
  }

  static async of(browser: Browser, url: string, options: Parameters<Browser['newContext']>[0] = {}) {
    const context = await browser.newContext({ viewport: { width: 640, height: 560 }, ...options });
    await context.addInitScript({ path: require.resolve('axe-core/axe.min.js') });
    const visit = new Visit(await context.newPage());
    await visit.page.goto(url);
    return visit;
  }

  async fillIn(registration: ReturnType<typeof somebody>): Promise<void> {
    const { gender, sex, ...texts } = registration;
    for (const [name, text] of Object.entries(texts)) await this.page.locator(`#${name}`).fill(text);
    await this.page.locator('#gender').selectOption(gender);
    await this.page.locator('#sex').selectOption(sex);
  }

  async register(): Promise<void> {
    await this.page.getByRole('button', { name: 'Register' }).click();
  }

  /** Resolves when the page says so, in small or capital letters. */
  async says(text: string, role: 'status' | 'timer' = 'status'): Promise<void> {
    await this.page.getByRole(role).filter({ hasText: text }).waitFor();
  }

  async focusIsOn(id: string): Promise<void> {
    const focused = await this.page.evaluate(() => document.activeElement?.id);
    assert(focused === id, `the focus is on ${focused ?? 'nothing'}, not on ${id}`);
  }

  /** Each field's error, by way of aria-describedby; empty where the field is not marked as invalid. */
  errors(): Promise<string[]> {
    return this.page.locator('input, select').evaluateAll((controls) =>
      controls.map((control) => {
        const place = document.getElementById(control.getAttribute('aria-describedby') ?? '');
        return control.getAttribute('aria-invalid') === 'true' ? (place?.textContent ?? '') : '';
      }),
    );
  }

  /** What it looks like now is kept, and found accessible. */
  async look(name: string): Promise<void> {
    await this.page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true });
    const violations = await this.page.evaluate(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html)))`,
    );
    assert(String(violations) === '', `axe finds in ${name}.png: ${String(violations)}`);
  }

  end(done: string): void {
    assert(this.complaints.length === 0, `the browser complains:\n${this.complaints.join('\n')}`);
    console.log(`ok  ${done}`);
  }
}
