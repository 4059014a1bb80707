import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { chromium } from 'playwright-core';
import type { Bundle } from '../../core/bundle/bundle.ts';
import { bundlePage } from '../../service/records/bundle-page.ts';
import { draftOf, exportAgain } from '../suites/bundle-mutations.ts';
import { sampleBundle } from '../suites/incident-bundle.ts';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined) console.warn('skipped: no Chromium (install it, or name it in CHROMIUM)');
const inBrowser = executablePath === undefined ? test.skip : test;

inBrowser(
  'the page of a bundle tells the incident and checks itself, from a file and without a network; what was changed it says',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-page-'));
    const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
    const problems: string[] = [];
    const asked: string[] = [];
    const opened = async (bundle: Bundle) => {
      const html = await bundlePage(bundle);
      expect(html.length).toBeLessThan(200_000);
      const file = join(folder, `${problems.length + asked.length}.html`);
      writeFileSync(file, html);
      const page = await browser.newPage({ viewport: { width: 900, height: 1200 } });
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('console', (message) => problems.push(message.text()));
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(pathToFileURL(file).href);
      await page.locator('.verdict[data-done]').waitFor();
      return page;
    };
    try {
      const bundle = await sampleBundle();
      const page = await opened(bundle);
      const text = await page.locator('main').textContent();
      expect(text).toContain('Nothing was changed: all 12 records fit their signatures.');
      expect(text).toContain('as of 2026-03-01 10:13:00 UTC');
      expect(text).toContain(
        'Ada Lovelace (ada) answered “No, delete the pod” at the command line, with a key of their own: nobody built this',
      );
      expect(text).toContain('It cannot be undone.');
      expect(text).toContain('The content of one record was removed, by orders that two people signed.');
      expect(text).toContain('record 2 · version 0.1.0 · build 3f0a5b1c2d4e6f70');
      expect(text).toContain('What a person is called. The id is proven; the name is from whoever handed the file out.');
      expect(text).toContain('checkpoint 4');
      const download = page.waitForEvent('download');
      await page.getByText('save').click();
      expect((await download).suggestedFilename()).toBe('pod.yaml');
      // On a phone nothing is cut off.
      await page.setViewportSize({ width: 390, height: 800 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      await page.close();

      const lied = draftOf(bundle);
      const body = lied.content.records[0]?.said?.body;
      if (!body) throw new Error('no record');
      body.text = '<img src=x onerror=alert(1)></script>\u202enothing';
      exportAgain(lied);
      const refused = await opened(lied);
      const said = await refused.locator('main').textContent();
      expect(said).toContain('Do not rely on this file');
      expect(said).toContain('Record 1 does not match its hash.');
      expect(said).toContain('<img src=x onerror=alert(1)></script>\\u{202e}nothing');
      await refused.close();
      expect(problems).toEqual([]);
      expect(asked.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true });
    }
  },
);
