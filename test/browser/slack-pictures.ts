/**
 * The pictures of `docs/slack.md`, from the emulator's page, and of the desk's own page in `docs/on-call.md`: `node test/browser/slack-pictures.ts`. They are
 * for people to look at and are not compared.
 */
import type { Browser, Page } from 'playwright-core';
import type { QuestionCard } from '../../core/cards/card.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import { answerView, nothingTyped, shownOfCard } from '../../service/desk/pages/answer-view.ts';
import {
  draft,
  incident as incidentNow,
  post,
  questionCard,
  type Rig,
  startRig,
  target,
  until,
} from '../integrations/slack/fixture.ts';
import { cardOf, nameOf } from '../integrations/slack/target-cards.ts';
import { imagesFolder, type pictured, type Screen, screenNames, screens, takePicture, withBrowser } from './pictures.ts';

/** With another folder: `node test/browser/slack-pictures.ts /tmp/looked-at`. */
const [folder = imagesFolder] = process.argv.slice(2);

const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();

/** Dated today, so that the times read naturally. */
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
const decided: Partial<QuestionCard> = {
  votes: [{ person: 'Ada Byron', choice: 'remove', at: at(0), reason }],
  status: { state: 'decided', choice: 'remove', by: ['Ada Byron'], at: at(1) },
  contained: [],
  ended: [{ action: 'quarantinePod', target: `pod/${target}`, how: 'gone', at: at(1) }],
};
const vote = { person: 'Ada Byron', choice: 'release', at: at(0), reason: 'Our own migration job' };

const shellChoices: QuestionCard['choices'] = [
  {
    id: 'expected',
    label: 'Yes, expected',
    quorum: 1,
    destructive: false,
    weakens: true,
    changes: ['The incident is marked as harmless.'],
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

/** New questions, and what became of one. */
const cards: Readonly<Record<Exclude<(typeof pictured)['slack-card'][number], 'group'>, QuestionCard>> = {
  open: cardNow(),
  shell: {
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
  'one-of-two': cardNow({ votes: [vote] }),
  decided: cardNow(decided),
  expired: cardNow({ status: { state: 'expired', at: at(73) } }),
  void: cardNow({ status: { state: 'void', why: 'the pod was deleted by somebody else', at: at(1) } }),
};

const waiting =
  '*What is waiting for you*\n•  Is the new binary in cart-7d9c5b6f4-x2x8k expected?  `shop/Deployment/cart`, until 14:17 UTC';

interface Shown {
  readonly page: Page;
  readonly rig: Rig;
  readonly screen: Screen;
}
type Work = (shown: Shown) => Promise<void>;

/** Runs work on the emulator's page at each screen; `command` is the answer to a command. Each time with a new Slack, so that a message is always the first. */
async function atEachScreen(browser: Browser, work: Work, command?: string): Promise<void> {
  for (const screen of screenNames) {
    const rig = await startRig({
      ...(command !== undefined && { onCommand: async () => ({ mrkdwn: command }) }),
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
    const page = await browser.newPage(screens[screen]);
    await page.goto(`${rig.slack.pageUrl}?user=U0ADA`);
    await work({ page, rig, screen });
    await page.close();
    await rig.stop();
  }
}

/** As it is posted, and then as it is updated. */
async function posted({ page, rig }: Shown, card: QuestionCard): Promise<void> {
  await post(rig, { ...card, votes: [], status: { state: 'open' } });
  await page.getByRole('button', { name: 'Details' }).waitFor();
  if (card.votes.length === 0 && card.status.state === 'open') return;
  await rig.desk.updateQuestion({ card });
  await page.getByText('(edited)').waitFor();
}

/** A whole message: the screen is made as tall as needed. */
async function take({ page, screen }: Shown, name: string, selector: string): Promise<void> {
  const { width, height } = screens[screen].viewport;
  const taken = await page.locator(selector).boundingBox();
  if (taken && selector.startsWith('article')) await page.setViewportSize({ width, height: Math.ceil(taken.height) + height });
  await takePicture(page, page.locator(selector), `${name}-${screen}`, folder);
  await page.setViewportSize({ width, height });
}

/** How to open and fill in each dialog of one card. */
const dialogs: Readonly<
  Record<Exclude<(typeof pictured)['slack-dialog'][number], 'group' | 'choose'>, (page: Page) => Promise<unknown>>
> = {
  details: async (page) => {
    await page.getByRole('button', { name: 'Details' }).first().click();
    await page.getByRole('dialog').getByText('Timeline').waitFor();
  },
  destructive: async (page) => {
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod' }).click();
    await page.getByRole('dialog').getByLabel('Last four').fill('x2x8');
    await page.getByRole('dialog').getByLabel('Why?').fill(reason);
    await page.getByRole('button', { name: 'Delete pod', exact: true }).click();
    await page.getByText('These are not the last four').waitFor();
  },
  weakening: async (page) => {
    await page.getByRole('button', { name: 'Yes: release pod' }).click();
    await page.getByRole('dialog').getByLabel('Why?').fill(vote.reason);
  },
  suppression: async (page) => {
    await page.getByLabel('More actions').last().click();
    await page.getByRole('menuitem', { name: 'False alarm' }).click();
    await page.getByRole('dialog').getByLabel('Why').fill('Our own scanner runs a shell in each pod at night');
  },
  'break-glass': async (page) => {
    await page.getByLabel('Message #security-incidents').fill('/firebreak break-glass shop/Deployment/cart');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByLabel('Why?').fill('It spreads faster than the caps allow');
  },
};

const goneOfGroup = [{ action: 'quarantinePod', target: `pod/shop/${nameOf(5)}-x2x8k`, how: 'gone' as const, at: at(1) }];

/** Two of five are already decided. */
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

/** What the desk itself serves while Slack is away. */
async function answerPage(browser: Browser): Promise<void> {
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
  const shownAsPage = {
    asked: shownOfCard(onPage),
    current,
    said: [],
    further,
    names,
    people,
    typed: nothingTyped,
    problems: [],
  };
  for (const screen of screenNames) {
    const page = await browser.newPage(screens[screen]);
    await page.setContent(answerView(shownAsPage));
    await takePicture(page, page, `page-answer-${screen}`, folder);
    await page.close();
  }
}

await withBrowser(async (browser) => {
  for (const [name, card] of Object.entries(cards))
    await atEachScreen(browser, async (at) => {
      await posted(at, card);
      await take(at, `slack-card-${name}`, 'article.message');
    });
  for (const [name, open] of Object.entries(dialogs))
    await atEachScreen(browser, async (at) => {
      await posted(at, cards.open);
      await open(at.page);
      await take(at, `slack-dialog-${name}`, '#modal');
    });
  await atEachScreen(
    browser,
    async (at) => {
      const { page, rig, screen } = at;
      await posted(at, cards.open);
      await page.getByLabel('More actions').first().click();
      await page.locator('.block-actions').first().scrollIntoViewIfNeeded();
      const [menu, buttons] = [
        await page.getByRole('menu').first().boundingBox(),
        await page.locator('.block-actions').last().boundingBox(),
      ];
      if (!menu || !buttons) throw new Error('the menu is not to be seen');
      const [left, top] = [Math.min(menu.x, buttons.x) - 16, Math.min(menu.y, buttons.y) - 16];
      const right = Math.max(menu.x + menu.width, buttons.x + buttons.width) + 16;
      const bottom = Math.max(menu.y + menu.height, buttons.y + buttons.height) + 16;
      const clip = {
        x: Math.max(0, left),
        y: Math.max(0, top),
        width: right - Math.max(0, left),
        height: bottom - Math.max(0, top),
      };
      await takePicture(page, clip, `slack-menu-${screen}`, folder);
      await page.keyboard.press('Escape');
      await page.getByLabel('Message #security-incidents').fill('/firebreak questions');
      await page.keyboard.press('Enter');
      await page.getByText('What is waiting for you').waitFor();
      await until(() => rig.slack.ephemerals('U0ADA')[0]);
      await take(at, 'slack-command', 'article.private');
    },
    waiting,
  );
  await atEachScreen(browser, async (at) => {
    const { page, rig } = at;
    for (const number of [1, 2, 3, 4, 5]) await post(rig, targetNow(number, number === 3 ? { votes: [vote] } : {}));
    await rig.desk.updateQuestion({ card: { ...targetNow(5, decided), contained: [], ended: goneOfGroup } });
    await page.getByText('4 undecided').waitFor();
    await take(at, 'slack-card-group', 'article.message');
    await page.getByRole('button', { name: 'No: rotate secrets and delete pod (all 4)' }).click();
    await page.getByRole('dialog').getByLabel('Last four').fill('2x8k 5');
    await page.getByRole('dialog').getByLabel('Why?').fill(reason);
    await page.getByRole('button', { name: 'Delete pod: all 4' }).click();
    await page.getByText('a space, and how many: 4').waitFor();
    await take(at, 'slack-dialog-group', '#modal');
    await page.getByRole('button', { name: 'Go back' }).click();
    await page.getByRole('button', { name: 'Choose …' }).click();
    await page.getByRole('checkbox').nth(1).check();
    await take(at, 'slack-dialog-choose', '#modal');
  });
  await answerPage(browser);
});
