import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Browser, chromium } from 'playwright-core';
import { complianceReport } from '../../core/compliance/compliance-report.ts';
import { frameworks } from '../../core/compliance/frameworks/index.ts';
import { Measures } from '../../core/compliance/measures.ts';
import { reportHtml } from '../../core/compliance/report-text.ts';
import { recordsOfIncidents } from '../service/records/compliance-records.ts';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined) console.warn('skipped: no Chromium (install it, or name it in CHROMIUM)');
const hasPdftotext = spawnSync('pdftotext', ['-v']).error === undefined;
if (!hasPdftotext) console.warn('skipped in part: no pdftotext (install poppler-utils)');

/** Names as long as Kubernetes allows, and more months than fit side by side: nothing may push them off the paper. */
const measured = new Measures();
const records = recordsOfIncidents(60, Date.parse('2026-07-01T00:00:00Z'));
const longest = `incident/production/${'n'.repeat(63)}/Deployment/${'w'.repeat(200)}`;
for (const [nth, { chain, at, ...record }] of records.entries())
  measured.add({
    ...record,
    at: new Date(Date.parse(at) + (nth % 15) * 30 * 86_400_000).toISOString(),
    chain: chain.replace(/^.*\/app\d+/, longest).replace('@run', '@0198a7c2-6a2e-7b2c-9a55-0c7fbe2f4a11'),
  });

function htmlOf(id: string): string {
  const framework = frameworks.find((one) => one.id === id);
  if (!framework) throw new Error(`there is no framework ${id}`);
  return reportHtml(
    complianceReport({
      ...{ framework, clusters: ['production'], measures: measured.all() },
      records: { counted: records.length, leftOut: 0 },
      since: '2026-07-01T00:00:00.000Z',
      until: '2026-10-01T00:00:00.000Z',
      madeAt: '2026-10-01T01:00:00.000Z',
      program: 'firebreak',
    }),
  );
}

/** Between the margins of the page. */
const paperWidth = Math.floor(((210 - 2 * 15) / 25.4) * 96);

(executablePath === undefined ? describe.skip : describe)('a report on paper', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  });
  afterAll(() => browser.close());

  test.each(frameworks.map(({ id }) => id))('by %s has nothing wider than the paper', async (id) => {
    const page = await browser.newPage({ viewport: { width: paperWidth, height: 1_000 } });
    await page.emulateMedia({ media: 'print' });
    await page.setContent(htmlOf(id));
    const wide = await page.evaluate(
      `[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > ${paperWidth + 1} || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline').map((one) => one.outerHTML.slice(0, 80))`,
    );
    expect(wide).toEqual([]);
    await page.close();
  });

  (hasPdftotext ? test : test.skip)(
    'has its subject and page number on each A4 page, and starts the records on a page of their own',
    async () => {
      const page = await browser.newPage();
      await page.setContent(htmlOf('iso-27001'));
      const pdf = await page.pdf({ preferCSSPageSize: true });
      await page.close();
      const { stdout } = spawnSync('pdftotext', ['-layout', '-', '-'], { input: pdf, encoding: 'utf8' });
      const pages = stdout.split('\f').slice(0, -1);
      expect(pages.length).toBeGreaterThan(3);
      for (const [index, text] of pages.entries()) {
        const last = text.trimEnd().split('\n').at(-1) ?? '';
        expect(last).toMatch(/^ *ISO\/IEC 27001:2022, .*: what the records show, 2026-07-01 to 2026-09-30 /);
        expect(last.replaceAll(' ', '')).toMatch(new RegExp(`${index + 1}/${pages.length}$`));
      }
      expect(pages.filter((text) => text.trimStart().startsWith('Where the numbers come from'))).toHaveLength(1);
      // 210 × 297 mm in points.
      expect(pdf.toString('latin1')).toMatch(/\/MediaBox \[0 0 59[45](\.\d+)? 84[12](\.\d+)?\]/);
    },
  );
});
