/** Shared by the pictures of the docs: which exist, at which screens, and how they are stored. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { findBrowser } from '../suites.mjs';

/** Each exists at each screen: `NAME-SCREEN.webp`. `test/docs/pictures.test.ts` checks this. */
export const pictured = {
  console: [
    'sign-in',
    'incidents',
    'incident',
    'incident-story',
    'questions',
    'answer',
    'overview',
    'overview-sensors',
    'response',
    'response-explain',
    'response-report',
    'playbook',
  ],
  'slack-card': ['open', 'shell', 'one-of-two', 'decided', 'expired', 'void', 'group'],
  'slack-dialog': ['details', 'destructive', 'weakening', 'suppression', 'break-glass', 'group', 'choose'],
  slack: ['menu', 'command'],
  page: ['answer'],
} as const;

const telephone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 } as const;
const desk = { viewport: { width: 1280, height: 900 }, deviceScaleFactor: 1 } as const;
export const screens = {
  'telephone-light': { ...telephone, colorScheme: 'light' },
  'telephone-dark': { ...telephone, colorScheme: 'dark' },
  'desk-light': { ...desk, colorScheme: 'light' },
  'desk-dark': { ...desk, colorScheme: 'dark' },
} as const;
export type Screen = keyof typeof screens;
export const screenNames: readonly Screen[] = ['telephone-light', 'telephone-dark', 'desk-light', 'desk-dark'];

export const imagesFolder = join(import.meta.dirname, '../../docs/images');

export async function withBrowser(work: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ['--no-sandbox'] });
  try {
    await work(browser);
  } finally {
    await browser.close();
  }
}

type Clip = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** Of a whole page, of a part of it, or of a rectangle. */
export async function takePicture(
  page: Page,
  of: Page | Locator | Clip,
  name: string,
  folder: string = imagesFolder,
): Promise<void> {
  await page.mouse.move(0, 0);
  const png =
    'screenshot' in of
      ? await of.screenshot({ animations: 'disabled' })
      : await page.screenshot({ clip: of, animations: 'disabled' });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.webp`), await webp(page, png));
}

/** Lossless, at about half the size of a PNG: the browser itself has an encoder. */
async function webp(page: Page, png: Buffer): Promise<Buffer> {
  const encoder = await page.context().browser()?.newPage();
  if (!encoder) throw new Error('the browser has gone');
  try {
    const encoded: string = await encoder.evaluate(`(async () => {
      const bytes = Uint8Array.from(atob('${png.toString('base64')}'), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const canvas = document.createElement('canvas');
      canvas.width = image.width;
      canvas.height = image.height;
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', 0.8).split(',')[1];
    })()`);
    return Buffer.from(encoded, 'base64');
  } finally {
    await encoder.close();
  }
}
