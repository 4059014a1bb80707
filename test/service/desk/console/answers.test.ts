import { createPrivateKey, sign } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import { answerAccepted, consoleEvents, overview, questionList } from '../../../../core/console/console.schema.ts';
import type { SignedVote } from '../../../../core/decide/approval.ts';
import { storedButtons } from '../../../../integrations/slack/cards/question-cards.ts';
import { createClickVotes } from '../../../../service/desk/click-votes.ts';
import { createSignIns } from '../../../../service/desk/pages/sign-ins-desk.ts';
import { eventually } from '../../../eventually.ts';
import { Browser } from '../../../fakes/oidc/browser.ts';
import { MemoryCards, questionCard } from '../../../integrations/slack/fixture.ts';
import { deskKey, voteKeys } from '../../../workflows/people.ts';
import { type ConsoleDesk, incidentRecords, keyOf, type Person, startConsoleDesk } from './console-desk.ts';

const key = createPrivateKey(deskKey.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const signer = { keyId: deskKey.id, sign: async (bytes: Uint8Array) => sign(null, bytes, key).toString('base64') } as never;
const pod = 'pod/shop/cart-x2x8k';
const plain = { quorum: 1, destructive: false, weakens: false, changes: [], blastRadius: [], notes: [] };
const digest = 'd'.repeat(64);
const card = questionCard({
  incident: { ...questionCard().incident, id: 'incident/c/shop/Deployment/cart', run: 'run-1' },
  questionId: 'q1',
  questionDigest: digest,
  text: 'Is it expected?',
  choices: [
    { ...plain, id: 'stay', label: 'Leave it' },
    { ...plain, id: 'remove', label: 'Delete it', destructive: true, target: pod, changes: ['ends it'], blastRadius: [pod] },
  ],
});

const cards = new MemoryCards();
let sent: SignedVote[] = [];
const temporal = {
  withDeadline: (_at: number, work: () => Promise<unknown>) => work(),
  workflow: { getHandle: () => ({ signal: async (_name: string, vote: SignedVote) => void sent.push(vote) }) },
} as unknown as Client;
let desk: ConsoleDesk;
let ana: Person;
let address: string;

beforeAll(async () => {
  await storedButtons(cards, { card, groups: ['oncall'], requester: 'playbook/p' });
  await cards.saveCard({ card, changedAt: 0 });
  desk = await startConsoleDesk({
    slack: ({ config, ...rest }) => ({
      cards,
      signIns: createSignIns({
        ...rest,
        config,
        cards,
        beliefs: { roster: config.roster, keys: voteKeys },
        client: () => undefined,
        ends: async () => ({ text: '' }),
        votes: createClickVotes({
          roster: config.roster,
          signer,
          client: () => temporal,
          replies: { remember: async () => undefined },
          refused: () => undefined,
        }),
      }),
    }),
  });
  ana = await desk.signIn('ana');
  const { items } = await ana.read(questionList, '/api/v1/questions');
  address = `/api/v1/questions/${items[0]?.id}`;
});
afterAll(() => desk.stop());
beforeEach(() => {
  sent = [];
});

const whole = { choice: 'remove', digest, reason: 'nobody built it', target: 'x8k' };

test('each question of a card with several targets is listed and counted, the worst first', async () => {
  const more = ['q-2', 'q-3'].map((questionId, index) => ({
    ...card,
    questionId,
    ...(index === 1 && { incident: { ...card.incident, severity: 'critical' as const } }),
  }));
  for (const one of more) {
    await storedButtons(cards, { card: one, groups: ['oncall'], requester: 'playbook/p' });
    await cards.saveCard({ card: one, changedAt: 0, group: 'g-1' });
  }
  const { items } = await ana.read(questionList, '/api/v1/questions');
  expect(items).toHaveLength(3);
  expect(items[0]?.incident.severity).toBe('critical');
  const { questions } = await ana.read(overview, '/api/v1/overview');
  expect(questions.open).toBe(3);
  for (const { questionId } of more) cards.shown.delete(questionId);
});

test('a question is shown with what each answer does, and whether the reader may give it', async () => {
  const { items } = await ana.read(questionList, '/api/v1/questions');
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    text: 'Is it expected?',
    digest,
    mine: { may: true },
    choices: [{ id: 'stay' }, { id: 'remove', target: 'cart-x2x8k' }],
    // As on its card: who ran what, where, and why it matters.
    happened: ['User root ran /tmp/.x/kdevtmpfsi in shop/cart; it is not in the image', expect.stringMatching(/^3 alerts/)],
  });
  const responder = await desk.signIn('responder');
  expect((await responder.read(questionList, '/api/v1/questions')).items[0]?.mine).toMatchObject({ may: false });
});

test('a tenant is not asked about others’ workloads, and cannot find questions about them', async () => {
  const bank = await desk.signIn('bank');
  expect((await bank.read(questionList, '/api/v1/questions')).items).toEqual([]);
  expect((await bank.get(address)).status).toBe(404);
  expect((await bank.post(`${address}/answer`, whole)).status).toBe(404);
});

test.each([
  ['without a reason', { reason: '' }, 422, 'reason'],
  ['with the end of another name', { target: 'nope' }, 422, 'target'],
  ['that does not exist', { choice: 'explode' }, 422, 'choice'],
  ['to an earlier version of the question', { digest: 'e'.repeat(64) }, 409, 'changed'],
])('an answer %s is not accepted', async (_, wrong, status, said) => {
  const response = await ana.post(`${address}/answer`, { ...whole, target: '2x8k', ...wrong });
  expect(response.status).toBe(status);
  expect(await response.text()).toContain(said);
});

test('whoever the roster does not let answer is refused, whatever their role, and told why', async () => {
  const admin = await desk.signIn('admin');
  const response = await admin.post(`${address}/answer`, { ...whole, target: '2x8k' });
  expect(response.status).toBe(403);
  expect(await response.text()).toContain('roster');
});

test('an answer becomes a vote only after a sign-in for it; it binds the question’s digest, and the browser returns', async () => {
  const response = await ana.post(`${address}/answer`, { ...whole, target: '2x8k' });
  const { signIn } = answerAccepted.parse(await response.json());
  expect(sent).toEqual([]);
  desk.provider.person = 'sub-ana';
  const browser = new Browser();
  expect((await browser.go(signIn)).text).toContain('Delete it');
  expect(sent).toEqual([]);
  const back = await browser.go(signIn, 'POST');
  expect(back.url).toContain('/console/questions/b_');
  expect(sent.map(({ vote }) => vote)).toMatchObject([
    { person: 'ana', choice: 'remove', questionDigest: digest, via: 'page', reason: 'nobody built it' },
  ]);
  expect(sent[0]?.idToken).toBeDefined();
});

test('one person’s session with another’s sign-in is not a vote', async () => {
  const response = await ana.post(`${address}/answer`, { ...whole, target: '2x8k' });
  const { signIn } = answerAccepted.parse(await response.json());
  desk.provider.person = 'sub-ben';
  expect((await new Browser().go(signIn, 'POST')).status).toBe(403);
  expect(sent).toEqual([]);
});

/** Reads a stream until an event fits. */
async function incidentEvent(person: Person, fits: (key: string) => boolean, headers: Readonly<Record<string, string>> = {}) {
  const response = await person.get('/api/v1/events', headers);
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  return {
    keys: async (): Promise<readonly string[]> => {
      const keys: string[] = [];
      for (let text = ''; !keys.some(fits); ) {
        const part = await reader?.read();
        if (!part || part.done) throw new Error('the stream is over');
        text += decoder.decode(part.value, { stream: true });
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const data = /^event: incident\ndata: (.*)$/m.exec(event)?.[1];
          if (data !== undefined) keys.push(consoleEvents.incident.parse(JSON.parse(data)).key);
        }
      }
      return keys;
    },
    end: () => reader?.cancel(),
  };
}

test('a change to an incident is sent as it happens to those who may see it, and again to whoever reconnects', async () => {
  const before = new Date().toISOString();
  const [viewer, shop] = [await desk.signIn('viewer'), await desk.signIn('shop')];
  const [all, own] = await Promise.all([viewer, shop].map((one) => incidentEvent(one, (key) => key === keyOf('shop'))));
  await desk.append(incidentRecords('bank'));
  await eventually('the bank’s is listed', async () => (await viewer.get(`/api/v1/incidents/${keyOf('bank')}`)).ok);
  await desk.append(incidentRecords('shop'));
  expect([...((await all?.keys()) ?? [])].sort()).toEqual([keyOf('bank'), keyOf('shop')].sort());
  expect(await own?.keys()).toEqual([keyOf('shop')]);
  await Promise.all([all?.end(), own?.end()]);
  const again = await incidentEvent(shop, (key) => key === keyOf('shop'), { 'last-event-id': before });
  expect(await again.keys()).toEqual([keyOf('shop')]);
  await again.end();
});
