import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { buildConsole } from '../../../tools/setup/console.mjs';
import { findBrowser } from '../../suites.mjs';
import * as sample from './sample.ts';
import { type ConsoleStandIn, startConsoleStandIn } from './stand-in.ts';

export interface ShownConsole {
  readonly desk: ConsoleStandIn;
  /** Errors in the pages of this test. */
  readonly faults: string[];
  /** @param before runs before the page is there */
  opened(path: string, options?: BrowserContextOptions, before?: (page: Page) => Promise<void>): Promise<Page>;
}

/** The built console in a real Chromium, against an API that returns what `sample.ts` says unless a test changes it. For a separate `describe`. */
export function consoleInBrowser(): ShownConsole {
  let browser: Browser;
  let folder: string;
  let desk: ConsoleStandIn;
  const faults: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'firebreak-console-'));
    await buildConsole({ folder });
    browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ['--no-sandbox'] });
    desk = await startConsoleStandIn({ folder, answers: {} });
  });
  afterAll(async () => {
    await browser.close();
    await desk.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    faults.length = 0;
    desk.asked.length = 0;
    Object.assign(desk.answers, sample.answers());
  });
  return {
    get desk() {
      return desk;
    },
    faults,
    opened: async (path, options = { viewport: { width: 1280, height: 900 } }, before = async () => undefined) => {
      const page = await browser.newPage(options);
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await before(page);
      await page.goto(`${desk.url}/console${path}`);
      return page;
    },
  };
}
