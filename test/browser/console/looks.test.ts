import { describe, expect, test } from '@jest/globals';
import { findBrowser } from '../../suites.mjs';
import { consoleInBrowser } from './in-browser.ts';
import * as sample from './sample.ts';

const inBrowser = findBrowser() === undefined ? describe.skip : describe;

/** How far something sticks out of the page sideways: if nothing does, neither a phone nor a wall screen cuts anything off. */
const sticksOut = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

/** Misplaced words of drawings as the browser renders them: those of a label that touch a box or another label, and those of a box that stick out of it. */
const wordsAstray = `[...document.querySelectorAll('svg.ways')].flatMap((svg) => {
  const boxOf = (one) => one.getBBox();
  const touch = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  const labels = [...svg.querySelectorAll('.label')].map((one) => ({ name: one.textContent, at: boxOf(one) }));
  const boxes = [...svg.querySelectorAll('rect')].map(boxOf);
  const sides = (a, b) => a.x < b.x || a.x + a.width > b.x + b.width || a.y < b.y || a.y + a.height > b.y + b.height;
  return [
    ...labels.filter(({ at }, nth) => boxes.some((box) => touch(at, box)) || labels.slice(nth + 1).some((other) => touch(at, other.at))),
    ...[...svg.querySelectorAll('g:not(.label)')].filter((one) =>
      [...one.querySelectorAll('text')].some((line) => sides(boxOf(line), boxOf(one.querySelector('rect')))),
    ).map((one) => ({ name: one.textContent })),
  ].map(({ name }) => name);
})`;

inBrowser('the console, to look at', () => {
  const shown = consoleInBrowser();
  const { opened, faults } = shown;

  test('counts down to the end of a containment, to the second once it matters, and tells a screen reader the time instead', async () => {
    const [lease] = sample.shownIncident.leases;
    const until = Date.parse(lease?.until ?? '');
    const page = await opened(`/incidents/${sample.cart.key}`, {}, (one) => one.clock.install());
    const containment = page.getByRole('region', { name: 'Containment', exact: true });
    await containment.getByText(/in 3 h \d+ min/).waitFor();
    // The page's own clock is stopped, so a slow machine does not matter.
    await page.clock.pauseAt(until - 11 * 60_000);
    const left = containment.locator('.number');
    await containment.getByText('in 11 min', { exact: true }).waitFor();
    expect(await left.getAttribute('class')).not.toContain('fault');
    const read = await containment.locator('.unseen').textContent();
    await page.clock.runFor(62_000);
    await containment.getByText('in 9 min 58 s', { exact: true }).waitFor();
    expect(await left.getAttribute('class')).toContain('fault');
    expect(await left.getAttribute('aria-hidden')).toBe('true');
    expect(await containment.locator('.unseen').textContent()).toBe(read);
    await page.clock.runFor(1_000);
    await containment.getByText('in 9 min 57 s', { exact: true }).waitFor();
    await page.clock.fastForward(10 * 60_000);
    await containment.getByText('at any moment', { exact: true }).waitFor();
    await page.close();
  });

  test('counts down to the end of a question, and says when it has passed', async () => {
    const until = Date.parse(sample.question.level.until);
    const page = await opened('/questions', {}, (one) => one.clock.install());
    const question = page.getByRole('region', { name: sample.question.text });
    await question.getByText(/^in \d+ min( \d+ s)?$/).waitFor();
    await page.clock.pauseAt(until - 61_000);
    await question.getByText('in 1 min 1 s', { exact: true }).waitFor();
    await page.clock.runFor(2_000);
    await question.getByText('in 59 s', { exact: true }).waitFor();
    await page.clock.runFor(59_000);
    await question.getByText('is overdue', { exact: true }).waitFor();
    await page.close();
  });

  test.each([
    ['a telephone', 390, 844],
    ['a desk', 1280, 900],
    ['a wall', 1920, 1080],
    ['a large wall', 3840, 2160],
  ])('fits %s: no page scrolls sideways, and text is larger on a wall', async (_, width, height) => {
    for (const path of [
      '/incidents',
      `/incidents/${sample.cart.key}`,
      '/questions',
      '/overview',
      '/response?namespace=pay&rule=Drop',
      '/playbooks/firebreak/ask-about-exfiltration',
    ]) {
      const page = await opened(path, { viewport: { width, height } });
      await page.getByRole('main').getByRole('heading').first().waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
      expect([path, await page.evaluate(sticksOut)]).toEqual([path, 0]);
      const size = await page.evaluate('getComputedStyle(document.body).fontSize');
      expect(size).toBe(width >= 1_920 ? '17px' : '15px');
      await page.close();
    }
    expect(faults).toEqual([]);
  });

  test('shows all open incidents and the state of the response on a wall without scrolling', async () => {
    const wall = { viewport: { width: 1920, height: 1080 } };
    const list = await opened('/incidents', wall);
    await list.getByRole('link', { name: /batch\/report/ }).waitFor();
    for (const one of await list.locator('a.incident').all()) expect((await one.boundingBox())?.y).toBeLessThan(1_080 - 40);
    await list.close();
    const overview = await opened('/overview', wall);
    const contained = overview.getByRole('region', { name: 'Contained now' });
    await contained.waitFor();
    expect((await contained.boundingBox())?.y).toBeLessThan(1_080 - 200);
    await overview.close();
  });

  test('keeps its header in one line on a phone, whoever reads it, and gives a long name the full width', async () => {
    shown.desk.answers.session = {
      ...sample.session,
      person: { id: 'max', name: 'Maximiliane Featherstonehaugh-Cholmondeley' },
    };
    const title = 'deployment/settlement-production/quarterly-ledger-reconciliation-worker';
    shown.desk.answers.incidents = { items: [sample.listed(90, { title, namespace: 'settlement-production' })], next: null };
    const page = await opened('/incidents', { viewport: { width: 390, height: 844 } });
    await page.getByRole('link', { name: /reconciliation-worker/ }).waitFor();
    expect((await page.locator('.top').boundingBox())?.height).toBeLessThan(60);
    expect((await page.locator('.mark').first().boundingBox())?.height).toBeLessThan(30);
    expect((await page.locator('a.incident .what').boundingBox())?.width).toBeGreaterThan(310);
    await page.close();
  });

  test('folds a long list of what a playbook answers, and shows a short one', async () => {
    const facts = async (name: string) => {
      const page = await opened(`/playbooks/firebreak/${name}`, { viewport: { width: 390, height: 844 } });
      const does = page.getByRole('region', { name: 'What it does' });
      await does.waitFor();
      return { does, page };
    };
    const long = await facts('contain-container-escape');
    expect(await long.does.getByText(/Detect release_agent File Container Escapes/).isVisible()).toBe(false);
    await long.does.getByText('Alerts matching many conditions').click();
    await long.does.getByText(/Detect release_agent File Container Escapes/).waitFor();
    await long.page.close();
    const short = await facts('quarantine-on-order');
    await short.does.getByText('Quarantine ordered by a person').waitFor();
    await short.page.close();
  });

  test('draws what is left of a workload, what is cut off, what an answer would change and what can be reached, each with its label inside', async () => {
    const page = await opened(`/incidents/${sample.cart.key}`);
    const radius = page.getByRole('region', { name: 'Blast radius' });
    await radius.getByText('2 of 3 pods still ready').waitFor();
    const words = (of: string): Promise<readonly string[]> => radius.locator(`svg ${of} text`).allTextContents();
    expect(await words('g.cut')).toEqual(['cart-…x2x8k', 'Pod, cut off · Quarantine the pod']);
    expect(await radius.locator('svg g.cut path.cross').count()).toBe(1);
    expect(await words('g.hit')).toEqual(['cart-db', 'Secret, would be changed · Rotate the secret']);
    expect(await words('g:not(.cut, .hit)')).toEqual([
      'cart',
      'Service, can be reached',
      'checkout',
      'Deployment, can be reached',
    ]);
    const beside = `[...document.querySelectorAll('svg.radius text')].filter((one) => one.getBBox().x + one.getBBox().width > 400).map((one) => one.textContent)`;
    expect(await page.evaluate(beside)).toEqual([]);
    await page.close();
  });

  test('shows each process of an alert below its parent, with what it ran and as whom', async () => {
    const page = await opened(`/incidents/${sample.cart.key}`);
    const alerts = page.getByRole('region', { name: 'Alerts', exact: true });
    await alerts.locator('summary').first().click();
    const names = (below: string): Promise<readonly string[]> =>
      alerts.locator(`.tree > ${below} > li > strong`).allTextContents();
    expect(await names('ul')).toEqual(['nginx']);
    expect(await names('ul > li > ul')).toEqual(['sh']);
    expect(await names('ul > li > ul > li > ul')).toEqual(['kdevtmpfsi']);
    await alerts.getByText('/tmp/.x/kdevtmpfsi -o pool.example.net:3333').waitFor();
    expect(await alerts.getByText('as root, process 815').count()).toBe(1);
    await page.close();
  });

  test.each([
    'ask-about-exfiltration',
    'contain-container-escape',
    'ask-about-kernel-change',
    'contain-reverse-shell',
    'stop-destruction',
  ])('draws %s with room for every label', async (name) => {
    const page = await opened(`/playbooks/firebreak/${name}`);
    await page.locator('svg.ways .label').first().waitFor();
    expect(await page.evaluate(wordsAstray)).toEqual([]);
    await page.close();
  });
});
