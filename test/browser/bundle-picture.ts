/** Makes the picture of a bundle's page in `docs/images`: `node test/browser/bundle-picture.ts`. It needs a Chromium. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { bundlePage } from '../../service/records/bundle-page.ts';
import { sampleBundle } from '../suites/incident-bundle.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-page-'));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 860, height: 1000 } });
  writeFileSync(join(folder, 'case.html'), await bundlePage(await sampleBundle()));
  await page.goto(pathToFileURL(join(folder, 'case.html')).href);
  await page.locator('.verdict[data-done]').waitFor();
  await page.screenshot({ path: join(import.meta.dirname, '../../docs/images/incident-bundle.png'), fullPage: true });
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
