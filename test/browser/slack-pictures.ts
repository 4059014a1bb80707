/** The pictures of `docs/slack.md`, from the emulator's page, and that of the desk's own page in `docs/on-call.md`: `node test/browser/slack-pictures.ts`. They are looked at, not compared. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { QuestionCard } from '../../core/cards/card.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { answerView, nothingTyped, shownOfCard } from '../../service/desk/pages/answer-view.ts';
import { draft, post, questionCard, type Rig, startRig, until } from '../integrations/slack/fixture.ts';
import { cardOf } from '../integrations/slack/target-cards.ts';

const folder = join(import.meta.dirname, '../../docs/images');
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
);

const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();

/** Of today, so that the times read as they would. */
function cardNow(changes: Partial<QuestionCard> = {}): QuestionCard {
  const card = questionCard();
  return {
    ...card,
    happened: { ...card.happened, at: at(-2), signature: 'signed by release@shop.example' },
    contained: card.contained.map((one) => ({ ...one, since: at(-2), until: at(238) })),
    ...(card.left && { left: { ...card.left, at: at(0) } }),
    level: { group: 'oncall', until: at(13), next: 'leads', number: 1, people: ['Ada Byron', 'Grace Hopper'] },
    ...changes,
  };
}

const reason = 'Nobody built this binary';
const vote = { person: 'Ada Byron', choice: 'release', at: at(0), reason: 'Our own migration job' };

const states: Readonly<Record<string, Partial<QuestionCard>>> = {
  'slack-card-one-of-two': { votes: [vote] },
  'slack-card-decided': {
    votes: [{ ...vote, choice: 'remove', reason }],
    status: { state: 'decided', choice: 'remove', by: ['Ada Byron'], at: at(1) },
  },
  'slack-card-expired': { status: { state: 'expired', at: at(73) } },
  'slack-card-void': { status: { state: 'void', why: 'the pod was deleted by somebody else', at: at(1) } },
};

async function picture(page: Page, name: string, selector: string): Promise<void> {
  await page.mouse.move(0, 0);
  await page.locator(selector).screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}

/** Only the end differs between the states of a card. */
async function endOfCard(page: Page, name: string): Promise<void> {
  const card = page.locator('article.message');
  await card.scrollIntoViewIfNeeded();
  await page.mouse.move(0, 0);
  const box = await card.boundingBox();
  if (!box) throw new Error('the card is not to be seen');
  const height = 220;
  const clip = { x: box.x, y: box.y + box.height - height, width: box.width, height };
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled', clip });
}

async function opened(browser: Browser, rig: Rig): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1120, height: 1200 } });
  await page.goto(`${rig.slack.pageUrl}?user=U0ADA`);
  return page;
}

/** One card after another, so that a message is always the first. */
async function shown(browser: Browser, work: (page: Page, rig: Rig) => Promise<void>): Promise<void> {
  const rig = await startRig({
    onCommand: async () => ({
      mrkdwn:
        '*What waits for you*\n•  Is the new binary in cart-7d9c5b6f4-x2x8k expected?  `shop/Deployment/cart`, until 14:17 UTC',
    }),
    onMenu: async ({ button }) =>
      button.choice === ':suppress'
        ? { opens: draft }
        : {
            details: [
              '*CRITICAL*  deployment/shop/cart  ·  open, contained, verdict unknown',
              '3 alerts, 2 pieces of evidence kept',
              '*Steps*',
              '•  quarantinePod on pod/shop/cart-7d9c5b6f4-x2x8k: unverified',
              '•  snapshotPodState on pod/shop/cart-7d9c5b6f4-x2x8k: verified',
              '*Timeline*',
              '14:02:11  incident.opened: 1 × Drop and execute new binary in container',
              '14:02:11  step.applied: quarantinePod on pod/shop/cart-7d9c5b6f4-x2x8k',
              '14:02:12  evidence.kept: pod.yaml, logs/cart.txt',
              '14:02:12  question.asked: Is the new binary in cart-7d9c5b6f4-x2x8k expected?',
            ].join('\n'),
          },
  });
  const page = await opened(browser, rig);
  await post(rig, cardNow());
  await page.getByText('What happened').waitFor();
  await work(page, rig);
  await page.close();
  await rig.stop();
}

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });

await shown(browser, (page) => picture(page, 'slack-card-open', 'article.message'));
for (const [name, changes] of Object.entries(states)) {
  await shown(browser, async (page, rig) => {
    await rig.desk.updateQuestion({ card: cardNow(changes) });
    await page.getByText('(edited)').waitFor();
    await endOfCard(page, name);
  });
}
await shown(browser, async (page) => {
  await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
  await page.getByRole('dialog').getByLabel('Last four').fill('x2x8');
  await page.getByRole('dialog').getByLabel('Why?').fill(reason);
  await page.getByRole('button', { name: 'Decide this' }).click();
  await page.getByText('These are not the last four').waitFor();
  await picture(page, 'slack-dialog-destructive', '#modal');
});
await shown(browser, async (page) => {
  await page.getByRole('button', { name: 'Yes: release pod' }).click();
  await page.getByRole('dialog').getByLabel('Why?').fill(vote.reason);
  await picture(page, 'slack-dialog-weakening', '#modal');
});
await shown(browser, async (page) => {
  await page.getByLabel('More actions').first().click();
  await page.locator('.block-actions').scrollIntoViewIfNeeded();
  const menu = await page.getByRole('menu').first().boundingBox();
  if (!menu) throw new Error('the menu is not to be seen');
  const height = 380;
  const clip = { x: 320, y: menu.y + menu.height + 20 - height, width: 800, height };
  await page.screenshot({ path: join(folder, 'slack-menu.png'), clip });
  await page.getByRole('menuitem', { name: 'Details and timeline' }).click();
  await page.getByRole('dialog').getByText('Timeline').waitFor();
  await picture(page, 'slack-dialog-details', '#modal');
});
await shown(browser, async (page) => {
  await page.getByLabel('More actions').last().click();
  await page.getByRole('menuitem', { name: 'False positive' }).click();
  await page.getByRole('dialog').getByLabel('Why').fill('Our own scanner runs a shell in each pod at night');
  await picture(page, 'slack-dialog-suppression', '#modal');
});
await shown(browser, async (page, rig) => {
  await page.getByLabel('Message #security-incidents').fill('/firebreak questions');
  await page.keyboard.press('Enter');
  await page.getByText('What waits for you').waitFor();
  await until(() => rig.slack.ephemerals('U0ADA')[0]);
  await picture(page, 'slack-command', 'article.private');
});
const breaking = await startRig();
const asking = await opened(browser, breaking);
await asking.getByLabel('Message #security-incidents').fill('/firebreak break-glass shop/Deployment/cart');
await asking.keyboard.press('Enter');
await asking.getByRole('dialog').getByLabel('Why?').fill('It spreads faster than the caps allow');
await picture(asking, 'slack-dialog-break-glass', '#modal');
await asking.close();
await breaking.stop();

/** Two of five are decided already. */
function targetNow(number: number, changes: Partial<QuestionCard> = {}): QuestionCard {
  const card = cardOf(number, changes);
  const { happened, level } = cardNow();
  const contained = cardNow().contained.map((one) => ({ ...one, what: 'quarantinePod: verified' }));
  return { ...card, contained, level, happened: { ...card.happened, at: happened.at } };
}
const rig = await startRig();
const page = await opened(browser, rig);
for (const number of [1, 2, 3, 4, 5]) await post(rig, targetNow(number, number === 3 ? { votes: [vote] } : {}));
await rig.desk.updateQuestion({ card: targetNow(5, states['slack-card-decided']) });
await page.getByText('4 to be decided').waitFor();
await picture(page, 'slack-group', 'article.message');
await page.getByRole('button', { name: 'No: rotate secrets and delete pod (all 4)' }).click();
await page.getByRole('dialog').getByLabel('Last four').fill('2x8k 5');
await page.getByRole('dialog').getByLabel('Why?').fill(reason);
await page.getByRole('button', { name: 'Decide all 4' }).click();
await page.getByText('a space, and how many: 4').waitFor();
await picture(page, 'slack-dialog-group', '#modal');
await page.getByRole('button', { name: 'Go back' }).click();
await page.getByRole('button', { name: 'Choose …' }).click();
await page.getByRole('checkbox').nth(1).check();
await picture(page, 'slack-dialog-choose', '#modal');
await page.close();
await rig.stop();

const telephone = await browser.newPage({ viewport: { width: 420, height: 900 } });
const people = ['Ada Byron', 'Grace Hopper'].map((name) => ({ id: name, name, slackIds: [], keys: [] }));
const further = [{ path: '#', text: 'What becomes of quarantinePod on pod/shop/cart-7d9c5b6f4-x2x8k?' }];
const asked = cardNow();
const { incident, level } = asked;
const current: QuestionState = {
  question: {
    id: asked.questionId,
    incident,
    severity: 'critical',
    text: asked.text,
    choices: [],
    levels: [{ group: level.group, withinMs: 900_000 }],
    requester: 'playbook/firebreak/contain-dropped-binary',
    onSilence: 'It stays.',
  },
  digest: asked.questionDigest,
  status: { state: 'open' },
  votes: [],
  level: 0,
  levelUntil: level.until,
  askedAt: at(-2),
  plans: [],
  answerers: { levels: [['Ada Byron', 'Grace Hopper']], requesters: [] },
};
const names = { person: (id: string) => id };
const shownAsPage = { asked: shownOfCard(asked), current, said: [], further, names, people, typed: nothingTyped, problems: [] };
await telephone.setContent(answerView(shownAsPage));
await telephone.screenshot({ path: join(folder, 'answer-page.png'), fullPage: true });
await telephone.close();
await browser.close();
