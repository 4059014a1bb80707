import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser, chromium, type Page } from 'playwright-core';
import { portOf } from '../../integrations/http-door.ts';
import { storedButtons } from '../../integrations/slack/cards/question-cards.ts';
import { answerPrefix, createAnswerLinks, createAnswerPages } from '../../service/desk/pages/answer-pages.ts';
import { createAskedQuestions } from '../../service/desk/pages/asked-question.ts';
import { MemoryCards, questionCard } from '../integrations/slack/fixture.ts';
import { roster, type SignInDesk, startSignInDesk } from '../service/desk/sign-in-desk.ts';
import { findBrowser } from '../suites.mjs';
import { voteKeys } from '../workflows/people.ts';

const card = questionCard({
  choices: [
    { id: 'keep', label: 'Keep it', quorum: 1, destructive: false, weakens: false, changes: [], blastRadius: [], notes: [] },
  ],
});
const cards = new MemoryCards();
let desk: SignInDesk;
let browser: Browser;
let link: string;
let given: string[] = [];
let otherSite = '';
const other = createServer((_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(otherSite));

beforeAll(async () => {
  desk = await startSignInDesk({
    votes: {
      mayAnswer: async () => ({}),
      vote: async ({ onPage, button }) => {
        given.push(`${onPage}: ${button.choice}`);
        return { text: 'Taken.', taken: true };
      },
    },
    ends: async () => ({ text: '' }),
    reaches: ['cluster'],
    refused: () => undefined,
  });
  const { flow, publicUrl } = desk;
  const state = async (): Promise<never> => {
    throw new Error('Temporal is away');
  };
  const asked = createAskedQuestions({ cards, beliefs: { roster, keys: voteKeys }, state });
  const answers = createAnswerPages({ cards, flow, roster, asked, publicUrl, log: () => undefined });
  desk.serve((path) => (path.startsWith(answerPrefix) ? answers : undefined));
  await storedButtons(cards, { card, groups: ['oncall'], requester: 'playbook/p' });
  await cards.saveCard({ card, changedAt: 0 });
  link = (await createAnswerLinks({ cards, publicUrl })({ question: card.questionId, incident: card.incident })) ?? '';
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({ executablePath: findBrowser() ?? '', args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser.close();
  await new Promise((resolve) => other.close(resolve));
  await desk.stop();
});
beforeEach(() => {
  given = [];
  desk.provider.person = 'sub-ana';
});

async function filled(): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(link);
  await page.getByRole('radio').check();
  await page.getByLabel('Who you are').selectOption('ana');
  await page.getByRole('button').click();
  return page;
}

describe('a question on a page, in a real browser', () => {
  test('is answered from the form to the sign-in and back', async () => {
    const page = await filled();
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Sign in to decide');
    await page.getByRole('button', { name: 'Sign in and decide' }).click();
    await page.getByText('Taken.').waitFor();
    expect(given).toEqual(['ana: keep']);
    await page.close();
  });

  test('can only be started from our own page: another site that submits its form sends nobody to the provider', async () => {
    const page = await filled();
    const signIn = page.url();
    otherSite = `<form method="post" action="${signIn}"></form><script>document.forms[0].submit()</script>`;
    await page.goto(`http://127.0.0.1:${portOf(other)}/`);
    await page.getByText('That cannot be done here.').waitFor();
    expect(page.url()).toBe(signIn);
    expect(given).toEqual([]);
    await page.close();
  });
});
