/** The pictures of `docs/slack.md`, from the emulator's page, and that of the desk's own page in `docs/on-call.md`: `node test/browser/slack-pictures.ts`. They are looked at, not compared. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { QuestionCard } from '../../core/cards/card.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { answerView, nothingTyped, shownOfCard } from '../../service/desk/pages/answer-view.ts';
import { draft, incident as incidentNow, post, questionCard, type Rig, startRig, until } from '../integrations/slack/fixture.ts';
import { cardOf, nameOf } from '../integrations/slack/target-cards.ts';

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

const shellChoices: QuestionCard['choices'] = [
  {
    id: 'expected',
    label: 'Yes, expected',
    quorum: 1,
    destructive: false,
    weakens: true,
    changes: ['The incident is called harmless.'],
    blastRadius: [],
    notes: [],
  },
  {
    id: 'quarantine',
    label: 'No: quarantine pod',
    actions: ['quarantinePod'],
    quorum: 1,
    destructive: false,
    weakens: false,
    changes: ['pod/shop/web-856c7d8f9-8qgc4: quarantine label added'],
    blastRadius: ['pod/shop/web-856c7d8f9-8qgc4'],
    notes: [],
  },
];
const { similar: _, left: __, ...bare } = cardNow();

/** Questions as they come. */
const asked: Readonly<Record<string, QuestionCard>> = {
  'slack-card-open': cardNow(),
  'slack-card-shell': {
    ...bare,
    incident: { ...incidentNow, id: 'incident/prod-1/shop/Deployment/web', title: 'deployment/shop/web', severity: 'low' },
    text: 'Is the shell in web-856c7d8f9-8qgc4 yours, or expected?',
    happened: {
      rule: 'Terminal shell in container',
      sensor: 'falco',
      tactics: ['TA0002'],
      at: at(-2),
      count: 1,
      pod: 'shop/web-856c7d8f9-8qgc4',
      image: 'registry.example.com/shop/web:2.0.1',
      process: '/bin/bash',
      user: 'root',
      commandLine: 'bash -i',
    },
    contained: [],
    choices: shellChoices,
    onSilence: 'Nothing is done to the pod. A ticket is filed.',
  },
};

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

/** A telephone's first screen, and a desk's. */
const screens = {
  telephone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 },
  night: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, colorScheme: 'dark' },
  desk: { viewport: { width: 1120, height: 1200 } },
} as const;
type Screen = keyof typeof screens;

async function opened(browser: Browser, rig: Rig, screen: Screen = 'desk'): Promise<Page> {
  const page = await browser.newPage(screens[screen]);
  await page.goto(`${rig.slack.pageUrl}?user=U0ADA`);
  return page;
}

/** One card after another, so that a message is always the first. */
async function shown(
  browser: Browser,
  work: (page: Page, rig: Rig) => Promise<void>,
  { screen = 'desk', card = cardNow() }: { readonly screen?: Screen; readonly card?: QuestionCard | undefined } = {},
): Promise<void> {
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
              '*CRITICAL*  shop/cart  ·  open, contained, not decided yet',
              '3 alerts, 2 pieces of evidence kept',
              '*Steps*',
              '•  quarantine pod on cart-…x2x8k: not proven yet',
              '•  snapshot pod state on cart-…x2x8k: done and checked',
              '*Timeline*',
              '14:02 UTC  1 × Drop and execute new binary in container',
              '14:02 UTC  Quarantine the pod: cart-…x2x8k',
              '14:02 UTC  Keep the pod’s state as evidence: cart-…x2x8k',
              '14:02 UTC  Is the new binary in cart-7d9c5b6f4-x2x8k expected?',
            ].join('\n'),
          },
  });
  const page = await opened(browser, rig, screen);
  await post(rig, card);
  await page.getByRole('button', { name: 'Details' }).waitFor();
  await work(page, rig);
  await page.close();
  await rig.stop();
}

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });

await shown(browser, (page) => picture(page, 'slack-card-desk', 'article.message'));
for (const [name, card] of Object.entries(asked)) {
  await shown(
    browser,
    async (page) => {
      await picture(page, name, 'article.message');
    },
    { screen: 'telephone', card },
  );
}
for (const [name, changes] of Object.entries(states)) {
  await shown(
    browser,
    async (page, rig) => {
      await rig.desk.updateQuestion({ card: cardNow(changes) });
      await page.getByText('(edited)').waitFor();
      await picture(page, name, 'article.message');
    },
    { screen: 'telephone' },
  );
}
for (const name of ['slack-card-open', 'slack-card-shell'])
  await shown(browser, (page) => picture(page, `${name}-dark`, 'article.message'), { screen: 'night', card: asked[name] });
await shown(
  browser,
  async (page, rig) => {
    await rig.desk.updateQuestion({ card: cardNow(states['slack-card-decided']) });
    await page.getByText('(edited)').waitFor();
    await picture(page, 'slack-card-decided-dark', 'article.message');
  },
  { screen: 'night' },
);
for (const [screen, ending] of [
  ['desk', ''],
  ['telephone', '-telephone'],
] as const)
  await shown(
    browser,
    async (page) => {
      await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
      await page.getByRole('dialog').getByLabel('Last four').fill('x2x8');
      await page.getByRole('dialog').getByLabel('Why?').fill(reason);
      await page.getByRole('button', { name: 'Decide this' }).click();
      await page.getByText('These are not the last four').waitFor();
      await picture(page, `slack-dialog-destructive${ending}`, '#modal');
    },
    { screen },
  );
for (const [screen, ending] of [
  ['telephone', '-telephone'],
  ['night', '-telephone-dark'],
] as const)
  await shown(
    browser,
    async (page) => {
      await page.getByRole('button', { name: 'Details' }).first().click();
      await page.getByRole('dialog').getByText('Timeline').waitFor();
      await picture(page, `slack-dialog-details${ending}`, '#modal');
    },
    { screen },
  );
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
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Details' }).first().click();
  await page.getByRole('dialog').getByText('Timeline').waitFor();
  await picture(page, 'slack-dialog-details', '#modal');
});
await shown(browser, async (page) => {
  await page.getByLabel('More actions').last().click();
  await page.getByRole('menuitem', { name: 'False alarm' }).click();
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
  const contained = cardNow().contained.map((one) => ({
    ...one,
    state: 'verified' as const,
    target: `pod/shop/${nameOf(number)}-x2x8k`,
  }));
  return { ...card, contained, level, happened: { ...card.happened, at: happened.at } };
}
const rig = await startRig();
const page = await opened(browser, rig);
for (const number of [1, 2, 3, 4, 5]) await post(rig, targetNow(number, number === 3 ? { votes: [vote] } : {}));
await rig.desk.updateQuestion({ card: targetNow(5, states['slack-card-decided']) });
await page.getByText('4 undecided').waitFor();
await picture(page, 'slack-group-desk', 'article.message');
await page.setViewportSize(screens.telephone.viewport);
await picture(page, 'slack-group', 'article.message');
await page.setViewportSize(screens.desk.viewport);
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
const further = [{ path: '#', text: 'cart-7d9c5b6f4-x2x8k quarantined: extend it, keep it for good, or end it?' }];
const onPage = cardNow();
const { incident, level } = onPage;
const current: QuestionState = {
  question: {
    id: onPage.questionId,
    incident,
    severity: 'critical',
    text: onPage.text,
    choices: [],
    levels: [{ group: level.group, withinMs: 900_000 }],
    requester: 'playbook/firebreak/contain-dropped-binary',
    onSilence: 'It stays.',
  },
  digest: onPage.questionDigest,
  status: { state: 'open' },
  votes: [],
  level: 0,
  levelUntil: level.until,
  askedAt: at(-2),
  plans: [],
  answerers: { levels: [['Ada Byron', 'Grace Hopper']], requesters: [] },
};
const names = { person: (id: string) => id };
const shownAsPage = { asked: shownOfCard(onPage), current, said: [], further, names, people, typed: nothingTyped, problems: [] };
await telephone.setContent(answerView(shownAsPage));
await telephone.screenshot({ path: join(folder, 'answer-page.png'), fullPage: true });
await telephone.close();
await browser.close();
