import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Each violated rule of axe with its location, within `selector`: contrast depends on the scheme, reflow on the width. */
export async function broken(page: Page, selector = 'html'): Promise<readonly string[]> {
  const found: string[] = [];
  await page.evaluate(axe);
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize({ width, height: 900 });
      const results: readonly string[] = await page.evaluate(
        `axe.run('${selector}', { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`,
      );
      found.push(...results.map((result) => `${colorScheme} ${width}: ${result}`));
      const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      if (overflow !== 0) found.push(`${colorScheme} ${width}: ${overflow} px wider than the screen`);
    }
  }
  return found;
}
