import type { Page } from 'playwright-core';

const most = 80;

/** Presses Tab until the element with this name has the focus. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < most; presses += 1) {
    const focused: string = await page.evaluate(`(({ labels, textContent, tagName }) =>
      labels?.[0]?.textContent ?? (/^(A|BUTTON|SUMMARY)$/.test(tagName) ? textContent : ''))(document.activeElement)`);
    if (focused.includes(name)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${name} was not reached by the keyboard`);
}
