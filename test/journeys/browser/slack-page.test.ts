import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Browser, chromium, type Page } from 'playwright-core';
import { broken } from '../../browser/axe.ts';
import { channel, incident, post, questionCard, type Rig, startRig, until } from '../../integrations/slack/fixture.ts';
import { cardOf } from '../../integrations/slack/target-cards.ts';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);
if (executablePath === undefined) console.warn('skipped: no Chromium (install it, or name it in CHROMIUM)');
const inBrowser = executablePath === undefined ? describe.skip : describe;

inBrowser('the page of the emulated Slack', () => {
  let rig: Rig;
  let browser: Browser;
  const faults: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  });
  afterAll(() => browser.close());

  async function opened(user = 'U0ADA'): Promise<Page> {
    const page = await browser.newPage({ viewport: { width: 1440, height: 1080 } });
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${rig.slack.pageUrl}?user=${user}`);
    return page;
  }

  test('shows the card, opens and validates the dialog of a destructive choice, sends it through Bolt, and shows answer and edit live', async () => {
    rig = await startRig();
    const page = await opened();
    await post(rig);
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Go back' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect(rig.clicks).toEqual([]);
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    await dialog.getByText('cannot be undone').waitFor();
    await dialog.getByRole('button', { name: 'Delete pod', exact: true }).click();
    await dialog.getByText('Please complete this required field.').first().waitFor();
    await dialog.getByLabel('Last four characters of cart-7d9c5b6f4-x2x8k').fill('x2x8');
    await dialog.getByLabel('Why?').fill('Nobody built this binary');
    await dialog.getByRole('button', { name: 'Delete pod', exact: true }).click();
    await dialog.getByText('These are not the last four characters').waitFor();
    // Typed text stays, even if the channel changes in the meantime.
    rig.slack.world.add({ channel, ts: rig.slack.world.nextTs(), user: 'U0GRACE', text: 'Looking.' });
    await page.getByText('Looking.').waitFor();
    expect(await dialog.getByLabel('Why?').inputValue()).toBe('Nobody built this binary');
    await dialog.getByLabel('Last four characters of cart-7d9c5b6f4-x2x8k').fill('2x8k');
    await dialog.getByRole('button', { name: 'Delete pod', exact: true }).click();
    await until(() => rig.clicks[0], 30_000);
    expect(rig.clicks).toMatchObject([{ slackUser: 'U0ADA', button: { choice: 'remove' }, reason: 'Nobody built this binary' }]);
    await page.getByText('Only visible to you').waitFor();
    await rig.desk.updateQuestion({
      card: questionCard({ status: { state: 'decided', choice: 'remove', by: ['Ada Lovelace'], at: '2026-03-01T14:05:00Z' } }),
    });
    await page.getByText('decided by Ada Lovelace').waitFor();
    expect(await page.getByRole('button', { name: 'Yes: release pod' }).count()).toBe(0);
    await page.close();
    await rig.stop();
  });

  test('axe finds nothing in a card, nor in its dialog with an error', async () => {
    rig = await startRig();
    const page = await opened();
    await post(rig);
    await page.getByRole('button', { name: 'Details' }).waitFor();
    expect(await broken(page, 'article.message')).toEqual([]);
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Last four characters of cart-7d9c5b6f4-x2x8k').fill('x2x8');
    await dialog.getByLabel('Why?').fill('Nobody built this binary');
    await dialog.getByRole('button', { name: 'Delete pod', exact: true }).click();
    await dialog.getByText('These are not the last four characters').waitFor();
    expect(await broken(page, '#modal')).toEqual([]);
    await page.close();
    await rig.stop();
  });

  test('can switch to another person, whose private answers only they see, and opens threads', async () => {
    rig = await startRig();
    await post(rig);
    await rig.desk.postInThread({ key: 'line', incident, text: 'Pod quarantined in 21 ms' });
    const page = await opened();
    await page.getByLabel('Who am I').selectOption('U0GUEST');
    await page.getByRole('button', { name: 'Yes: release pod' }).click();
    await page.getByText('Guests of this workspace may not decide.').waitFor();
    expect(rig.refusals).toMatchObject([{ reason: 'guest', slackUser: 'U0GUEST' }]);
    await page.getByRole('button', { name: /1 reply/ }).click();
    await page.getByText('Pod quarantined in 21 ms').waitFor();
    await page.getByLabel('Who am I').selectOption('U0ADA');
    await page.getByText('Is the new binary').first().waitFor();
    expect(await page.getByText('Only visible to you').count()).toBe(0);
    await page.close();
    await rig.stop();
  });

  test('shows similar questions as one card, where some are ticked and decided, then the rest at once', async () => {
    rig = await startRig();
    const page = await opened();
    for (const number of [1, 2, 3]) await post(rig, cardOf(number));
    await page.getByText('3 targets in shop, 3 undecided').waitFor();
    await page.getByRole('button', { name: 'Choose …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Your answer').selectOption('1');
    await dialog.getByRole('checkbox', { name: 'cart-002' }).check();
    await dialog.getByLabel('Why?').fill('Nobody built this binary');
    await dialog.getByRole('button', { name: 'Answer for the ticked' }).click();
    await dialog.getByText('a space, and how many: 1').waitFor();
    await dialog.getByLabel('Where it cannot be undone').fill('2x8k 1');
    await dialog.getByRole('button', { name: 'Answer for the ticked' }).click();
    await dialog.waitFor({ state: 'hidden' });
    await until(() => rig.clicks[0], 30_000);
    const decided = { status: { state: 'decided' as const, choice: 'remove', by: ['Ada Lovelace'], at: '2026-03-01T14:05:00Z' } };
    await rig.desk.updateQuestion({ card: cardOf(2, decided) });
    await page.getByRole('button', { name: 'delete pod (all 2)' }).click();
    await dialog.getByLabel('Last four characters of cart-001-x2x8k').fill('2x8k 2');
    await dialog.getByLabel('Why?').fill('Nor these');
    await dialog.getByRole('button', { name: 'Delete pod: all 2' }).click();
    await until(() => (rig.clicks.length === 3 ? true : undefined), 30_000);
    expect(rig.clicks.map(({ button, reason }) => [button.question, reason])).toEqual([
      ['question-2', 'Nobody built this binary'],
      ['question-1', 'Nor these'],
      ['question-3', 'Nor these'],
    ]);
    await page.close();
    await rig.stop();
  });

  test('runs no script that an attacker wrote', async () => {
    rig = await startRig();
    const script = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>"><a href="javascript:owned=1">';
    const base = questionCard();
    await post(rig, {
      ...base,
      text: script,
      incident: { ...base.incident, title: script },
      happened: { ...base.happened, commandLine: script },
    });
    rig.slack.world.add({ channel, ts: rig.slack.world.nextTs(), user: 'U0MALLORY', text: `${script} <javascript:owned=1|x>` });
    const page = await opened();
    await page.getByRole('button', { name: 'Details' }).waitFor();
    expect(await page.evaluate('window.owned')).toBeUndefined();
    expect(await page.locator('a[href^="javascript"], article img').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
    await rig.stop();
  });
});
