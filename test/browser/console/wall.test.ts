import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { eventually } from '../../eventually.ts';
import { type ConsoleDesk, incidentRecords, startConsoleDesk } from '../../service/desk/console/console-desk.ts';
import { findBrowser } from '../../suites.mjs';

const executablePath = findBrowser();
const inBrowser = executablePath === undefined ? describe.skip : describe;

inBrowser('a quiet night', () => {
  let desk: ConsoleDesk;
  let browser: Browser;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    desk = await startConsoleDesk();
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await desk?.stop();
  });

  async function signedInBy(link: string): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1920, height: 1080 } });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    desk.provider.person = 'sub-ana';
    await page.goto(`${desk.url}/console/`);
    await page.getByRole('link', { name: link }).click();
    await page.getByText('No open incidents').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    return page;
  }

  /** Whether the session has been used since. */
  async function used(): Promise<readonly boolean[]> {
    const rows = await desk.database.all('SELECT seen_at FROM console_sessions ORDER BY began_at');
    return rows.map(({ seen_at }) => Date.now() - Date.parse(String(seen_at)) < 20 * 60_000);
  }

  /** As if no session had requested anything for this long. */
  async function quietFor(minutes: number): Promise<void> {
    await desk.database.all('UPDATE console_sessions SET seen_at = $1', [new Date(Date.now() - minutes * 60_000).toISOString()]);
  }

  test('keeps a wall display signed in and live, and signs out a person who stays as long', async () => {
    const person = await signedInBy('Sign in');
    const wall = await signedInBy('Open as a wall display');
    await wall.getByText(/^Wall display until/).waitFor();
    expect(await wall.getByRole('link', { name: 'Questions' }).count()).toBe(0);

    // Twice the time that may pass without a request, in two halves.
    for (const _ of [1, 2]) {
      await quietFor(29);
      await eventually('the open wall counts as used', async () => (await used())[1] === true);
      expect((await used())[0]).toBe(false);
    }
    await desk.database.all('UPDATE console_sessions SET seen_at = $1 WHERE seen_at < $2', [
      new Date(Date.now() - 31 * 60_000).toISOString(),
      new Date(Date.now() - 20 * 60_000).toISOString(),
    ]);
    await person.getByRole('heading', { name: 'Sign in to see incidents' }).waitFor();

    await desk.append(incidentRecords('shop'));
    await wall.getByRole('link', { name: /shop\/cart/ }).waitFor();
  });
});
