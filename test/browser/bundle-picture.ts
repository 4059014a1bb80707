/** Creates the picture of a bundle's page in `docs/images`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundlePage } from '../../service/records/bundle-page.ts';
import { sampleBundle } from '../suites/incident-bundle.ts';
import { imagesFolder, withBrowser } from './pictures.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-page-'));
try {
  const file = join(folder, 'case.html');
  writeFileSync(file, await bundlePage(await sampleBundle()));
  await withBrowser(async (browser) => {
    const page = await browser.newPage({ viewport: { width: 860, height: 1000 } });
    await page.goto(pathToFileURL(file).href);
    await page.locator('.verdict[data-done]').waitFor();
    await page.screenshot({ path: join(imagesFolder, 'incident-bundle.png'), fullPage: true });
  });
} finally {
  rmSync(folder, { recursive: true });
}
