// Drives Chromium over the page, for tests/src/browser: a JSON command a line on standard input,
// an answer a line on standard output. Ends, and the browser with it, when its input does.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const [browserPath, environment, patience] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--no-sandbox'], // nothing but our own page on loopback is ever opened
  env: { ...process.env, ...JSON.parse(environment) },
});
const pages = new Map();

/** `{role, name}`, `{label}`, `{text}` or `{css}`, perhaps `within` another, perhaps the `nth`. */
function locate(page, target) {
  const scope = target.within ? locate(page, target.within) : page;
  const { exact = true } = target;
  const all = target.css
    ? scope.locator(target.css)
    : target.label
      ? scope.getByLabel(target.label, { exact })
      : target.role
        ? scope.getByRole(target.role, { name: target.name, exact })
        : scope.getByText(target.text, { exact: false });
  const fitting = target.saying ? all.filter({ hasText: target.saying }) : all;
  return target.nth === undefined ? fitting : fitting.nth(target.nth);
}

const at = ({ page, target }) => locate(page.page, target);

const COMMANDS = {
  async open({ number, width, height, scheme }) {
    const viewport = { width, height };
    const reader = { colorScheme: scheme, locale: 'en-US', timezoneId: 'UTC' };
    const context = await browser.newContext({ viewport, ...reader });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const page = await context.newPage();
    page.setDefaultTimeout(Number(patience));
    const seen = { requests: [], troubles: [] };
    page.on('request', (request) => seen.requests.push(request.url()));
    page.on('pageerror', (error) => seen.troubles.push(`error: ${error.message}`));
    page.on('dialog', (dialog) => {
      seen.troubles.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('console', (message) => {
      // What the API refuses, Chromium reports by itself; a test looks at what the page says.
      const refused = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !refused) seen.troubles.push(message.text());
    });
    pages.set(number, { page, context, seen });
  },
  close: ({ page }) => page.context.close(),
  async goto({ page, url }) {
    await page.page.goto('about:blank'); // so that another fragment is another visit
    await page.page.goto(url);
  },
  reload: ({ page }) => page.page.reload(),
  address: ({ page }) => page.page.url(),
  click: (given) => at(given).click(),
  fill: (given) => at(given).fill(given.value),
  choose: (given) => at(given).selectOption(given.value),
  press: ({ page, key }) => page.page.keyboard.press(key),
  see: (given) => at(given).first().waitFor(),
  gone: (given) => at(given).first().waitFor({ state: 'hidden' }),
  focused: (given) => at(given).evaluate((node) => node === document.activeElement),
  text: (given) => at(given).innerText(),
  texts: (given) => at(given).allInnerTexts(),
  count: (given) => at(given).count(),
  evaluate: ({ page, script }) => page.page.evaluate(script),
  async wait({ page, script }) {
    // Not waitForFunction: it evaluates in the page, which the page's policy forbids.
    for (const until = Date.now() + Number(patience); Date.now() < until;) {
      if (await page.page.evaluate(script)) return;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
    throw new Error(`never true: ${script}`);
  },
  clipboard: ({ page }) => page.page.evaluate(() => navigator.clipboard.readText()),
  async look({ page, width, height, scheme }) {
    await page.page.emulateMedia({ colorScheme: scheme });
    await page.page.setViewportSize({ width, height });
  },
  screenshot: ({ page, path }) => page.page.screenshot({ path, fullPage: true }).then(() => null),
  seen: ({ page }) => page.seen,
  async axe({ page }) {
    await page.page.evaluate(axe);
    const found = await page.page.evaluate(() =>
      globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }),
    );
    const place = ({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ''}`;
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(place).join(' | ')}`);
  },
};

async function answer({ id, command, page, ...given }) {
  try {
    const value = await COMMANDS[command]({ ...given, number: page, page: pages.get(page) });
    return { id, value: value ?? null };
  } catch (error) {
    return { id, error: error.message };
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const answered = await answer(JSON.parse(line));
  process.stdout.write(`${JSON.stringify(answered)}\n`);
});
lines.on('close', async () => {
  await browser.close();
  process.exit(0);
});
