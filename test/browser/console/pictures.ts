/**
 * The pictures of `docs/console.md`, from the console against an API that returns what `sample.ts` says: `node test/browser/console/pictures.ts`. They are for
 * people to look at and are not compared.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { buildConsole } from '../../../tools/setup/console.mjs';
import { pictured, screenNames, screens, takePicture, withBrowser } from '../pictures.ts';
import * as sample from './sample.ts';
import { Fault, startConsoleStandIn } from './stand-in.ts';

/** With another folder: `node test/browser/console/pictures.ts /tmp/looked-at`. */
const [images] = process.argv.slice(2);

interface Pictured {
  readonly path: string;
  readonly ready: (page: Page) => Promise<unknown>;
  readonly isSignedOut?: boolean;
}

const incidentPath = `/incidents/${sample.cart.key}`;
const pages: Readonly<Record<(typeof pictured.console)[number], Pictured>> = {
  'sign-in': { path: '/incidents', ready: (page) => page.getByRole('link', { name: 'Sign in' }).waitFor(), isSignedOut: true },
  incidents: { path: '/incidents', ready: (page) => page.getByRole('link', { name: /shop\/cart/ }).waitFor() },
  incident: { path: incidentPath, ready: (page) => page.getByRole('heading', { name: 'What happened' }).waitFor() },
  'incident-story': {
    path: incidentPath,
    ready: (page) => scrollTo(page, 'What happened'),
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
  'overview-sensors': {
    path: '/overview',
    ready: async (page) => {
      for (const title of ['Coverage', 'Approvals per person']) await page.getByRole('heading', { name: title }).waitFor();
      await scrollTo(page, 'Sensors');
    },
  },
  response: { path: '/response', ready: (page) => page.getByText('Ready for contain').waitFor() },
  'response-explain': {
    path: '/response?namespace=pay&rule=Drop+and+execute+new+binary+in+container',
    ready: async (page) => {
      await page.getByText('by scope payments').waitFor();
      await page.getByText('Ready for contain').waitFor();
      await scrollTo(page, 'What would happen now?');
    },
  },
  'response-report': {
    path: '/response',
    ready: async (page) => {
      await page.getByText('Ready for contain').waitFor();
      await scrollTo(page, 'What mode contain would have done');
    },
  },
  playbook: {
    path: '/playbooks/firebreak/contain-dropped-binary',
    ready: async (page) => {
      for (const title of ['Its record', 'Rules it answers']) await page.getByRole('heading', { name: title }).waitFor();
      await scrollTo(page, 'What each answer leads to');
    },
  },
};

/** Scrolls to a part of the page, below the sticky bar. */
async function scrollTo(page: Page, title: string): Promise<void> {
  const part = page.getByRole('region', { name: title, exact: true });
  await part.waitFor();
  const { y = 0 } = (await part.boundingBox()) ?? {};
  await page.evaluate(`window.scrollBy(0, ${y - 64})`);
}

const folder = mkdtempSync(join(tmpdir(), 'firebreak-console-'));
await buildConsole({ folder });
const desk = await startConsoleStandIn({ folder, answers: sample.answers() });
const signedOut = new Fault(401, {
  code: 'FB_ERR_UNAUTHORIZED',
  message: 'You are not signed in.',
  help: 'Sign in with your identity provider.',
});
await withBrowser(async (browser) => {
  for (const name of pictured.console) {
    const { path, ready, isSignedOut = false } = pages[name];
    desk.answers.session = isSignedOut ? signedOut : sample.session;
    for (const screen of screenNames) {
      const page = await browser.newPage({ ...screens[screen], reducedMotion: 'reduce' });
      await page.goto(`${desk.url}/console${path}`);
      if (!isSignedOut) await page.getByText('Live', { exact: true }).waitFor();
      await ready(page);
      await takePicture(page, page, `console-${name}-${screen}`, images);
      await page.close();
    }
  }
});
await desk.stop();
rmSync(folder, { recursive: true, force: true });
