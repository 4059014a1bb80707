/** The pictures of `docs/console.md`, from the console before an API that answers what `sample.ts` says: `node test/browser/console/pictures.ts`. They are looked at, not compared. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { buildConsole } from '../../../tools/setup/console.mjs';
import { findBrowser } from '../../suites.mjs';
import * as sample from './sample.ts';
import { startConsoleStandIn } from './stand-in.ts';

/** All of them, or where it is named, another folder: `node test/browser/console/pictures.ts /tmp/looked-at all`. */
const [images = join(import.meta.dirname, '../../../docs/images'), all] = process.argv.slice(2);

const pages: Readonly<Record<string, { readonly path: string; readonly ready: (page: Page) => Promise<unknown> }>> = {
  incidents: { path: '/incidents', ready: (page) => page.getByRole('link', { name: /shop\/cart/ }).waitFor() },
  incident: {
    path: `/incidents/${sample.cart.key}`,
    ready: (page) => page.getByRole('heading', { name: 'What happened' }).waitFor(),
  },
  questions: { path: '/questions', ready: (page) => page.getByText('For others').waitFor() },
  answer: {
    path: '/questions',
    ready: async (page) => {
      await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  overview: { path: '/overview', ready: (page) => page.getByText('Approvals per person').waitFor() },
};

const screens = {
  telephone: { width: 390, height: 844 },
  desk: { width: 1280, height: 900 },
} as const;
/** In the docs each page is there once in each scheme and once at each width. */
const inDocs = new Set(['desk-light', 'telephone-dark']);

const folder = mkdtempSync(join(tmpdir(), 'firebreak-console-'));
await buildConsole({ folder });
const desk = await startConsoleStandIn({ folder, answers: sample.answers() });
const browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ['--no-sandbox'] });
for (const [name, { path, ready }] of Object.entries(pages)) {
  for (const [screen, viewport] of Object.entries(screens)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      if (all === undefined && !inDocs.has(`${screen}-${colorScheme}`)) continue;
      const page = await browser.newPage({ viewport, colorScheme, reducedMotion: 'reduce' });
      await page.goto(`${desk.url}/console${path}`);
      await page.getByText('Live', { exact: true }).waitFor();
      await ready(page);
      await page.screenshot({ path: join(images, `console-${name}-${screen}-${colorScheme}.png`) });
      await page.close();
    }
  }
}
await browser.close();
await desk.stop();
rmSync(folder, { recursive: true, force: true });
