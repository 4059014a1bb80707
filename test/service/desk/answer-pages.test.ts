import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import type { Plan } from '../../../core/action/plan.ts';
import { type Question, questionDigest, type SignedVote } from '../../../core/decide/approval.ts';
import { field } from '../../../core/decide/form.ts';
import { checkVote } from '../../../core/decide/vote-check.ts';
import type { IncidentState, QuestionState } from '../../../core/incident/incident-state.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { type Page, redactedPager } from '../../../core/tickets/paging.ts';
import { createPagerDuty } from '../../../integrations/pagerduty/pager.ts';
import { storedButtons } from '../../../integrations/slack/cards/question-cards.ts';
import { createClickVotes } from '../../../service/desk/click-votes.ts';
import { linkingPager } from '../../../service/desk/follow-up.ts';
import { answerPrefix, createAnswerLinks, createAnswerPages } from '../../../service/desk/pages/answer-pages.ts';
import { createAskedQuestions } from '../../../service/desk/pages/asked-question.ts';
import { Browser } from '../../fakes/oidc/browser.ts';
import { startPagerDutyFake } from '../../fakes/pagerduty/server.ts';
import { MemoryCards, questionCard } from '../../integrations/slack/fixture.ts';
import { deskKey, signVote, voteKeys } from '../../workflows/people.ts';
import { roster, type SignInDesk, startSignInDesk } from './sign-in-desk.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
const pod = 'pod/shop/cart-x2x8k';
const remove: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'pod',
  target: { name: pod, uid: 'uid-1' },
  changes: [{ target: pod, what: 'ends its <containers>' }],
  blastRadius: [pod],
  notes: [],
  inputDigest: digestOf({}),
};
const form = {
  hours: field.number('In how many <hours>?', { min: 1, max: 72 }),
  who: field.people('Who looks?', { group: 'oncall' }),
};
const question: Question = {
  id: 'q1',
  incident,
  severity: 'critical',
  text: 'Is the new binary in <cart> expected?',
  choices: [
    { id: 'keep', label: 'Keep it', plans: [], quorum: 1 },
    { id: 'remove', label: 'No, delete it', plans: [remove], quorum: 1 },
    { id: 'later', label: 'Later', plans: [], quorum: 1, form },
  ],
  levels: [{ group: 'oncall', withinMs: 900_000 }],
  requester: 'playbook/p',
  onSilence: 'It stays.',
};
const plain = { quorum: 1, destructive: false, weakens: false, changes: [], blastRadius: [], notes: [] };
const card = questionCard({
  incident: { ...questionCard().incident, ...incident },
  questionId: question.id,
  questionDigest: questionDigest(question),
  text: question.text,
  choices: [
    { ...plain, id: 'keep', label: 'Keep it' },
    {
      ...plain,
      id: 'remove',
      label: 'No, delete it',
      destructive: true,
      target: pod,
      changes: ['ends its <containers>'],
      blastRadius: [pod],
    },
    {
      ...plain,
      id: 'later',
      label: 'Later',
      form: {
        ...form,
        who: {
          ...form.who,
          people: [
            { id: 'ana', name: 'Ana' },
            { id: 'ben', name: 'Ben' },
          ],
        },
      },
    },
  ],
});
const state: QuestionState = {
  question,
  digest: card.questionDigest,
  status: { state: 'open' },
  votes: [],
  level: 0,
  levelUntil: '2026-03-01T14:17:11Z',
  askedAt: '2026-03-01T14:02:11Z',
  plans: [remove],
};

const undo: Plan = { ...remove, action: 'undo:quarantinePod', effect: 'reversible', weakens: true };
const leaseAsked: Question = {
  ...question,
  id: 'lease:0123456789abcdef-l',
  text: 'quarantinePod on pod/shop/<cart> lasts until then',
  choices: [
    { id: 'extend', label: 'Extend it', plans: [], quorum: 1 },
    { id: 'keep', label: 'Keep it for good', plans: [], quorum: 1 },
    { id: 'release', label: 'Release it', plans: [undo], quorum: 2 },
  ],
  requester: 'engine',
};
const leaseState: QuestionState = { ...state, question: leaseAsked, digest: questionDigest(leaseAsked), plans: [undo] };
/** What the incident says apart from its questions. */
const rest = {
  title: 'deployment/shop/cart',
  severity: 'critical',
  subject: { cluster: 'lab' },
  counts: [{ rule: 'Drop <x>', severity: 'critical', count: 2, firstSeen: '14:01', lastSeen: '14:02' }],
  steps: [{ key: 's', state: 'unverified', detail: 'applied; no probe' }],
  evidence: [],
  leases: [
    {
      id: '0123456789abcdef-l',
      action: 'quarantinePod',
      target: { name: 'pod/shop/<cart>' },
      stepKey: 's',
      state: 'active',
      startedAt: Date.parse('2026-03-01T14:02:00Z'),
      until: Date.parse('2026-03-01T18:02:00Z'),
    },
  ],
};

let sent: SignedVote[] = [];
const remembered: string[] = [];
let current: QuestionState | undefined;
let lease: QuestionState;
const timeline: { at: string; kind: string; actor: string; text: string }[] = [];
const temporal = {
  withDeadline: (_at: number, work: () => Promise<unknown>) => work(),
  workflow: { getHandle: () => ({ signal: async (_name: string, vote: SignedVote) => void sent.push(vote) }) },
} as unknown as Client;
const key = createPrivateKey(deskKey.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const signer = { keyId: deskKey.id, sign: async (bytes: Uint8Array) => sign(null, bytes, key).toString('base64') } as never;

const refusals: string[] = [];
const cards = new MemoryCards();
let desk: SignInDesk;
let link: string;

beforeAll(async () => {
  const votes = createClickVotes({
    roster,
    signer,
    client: () => temporal,
    replies: { remember: async ({ clickId }) => void remembered.push(clickId) },
    refused: ({ reason, person }) => refusals.push(`${person}: ${reason}`),
  });
  desk = await startSignInDesk({
    votes,
    ends: async () => ({ text: '' }),
    reaches: ['cluster'],
    refused: (refusal) => refusals.push(refusal),
  });
  const { flow, publicUrl } = desk;
  const answers = createAnswerPages({
    cards,
    flow,
    roster,
    asked: createAskedQuestions({
      cards,
      beliefs: { roster, keys: voteKeys },
      state: async () => {
        if (!current) throw new Error('away');
        return { ...rest, questions: [current, lease], timeline } as unknown as IncidentState;
      },
    }),
    publicUrl,
    log: () => undefined,
  });
  desk.serve((path) => (path.startsWith(answerPrefix) ? answers : undefined));
  await storedButtons(cards, { card, groups: ['oncall'], requester: question.requester });
  await cards.saveCard({ card, changedAt: 0 });
  link = (await createAnswerLinks({ cards, publicUrl })({ question: question.id, incident })) ?? '';
});
afterAll(() => desk.stop());
beforeEach(() => {
  sent = [];
  current = state;
  lease = leaseState;
  refusals.length = 0;
  timeline.length = 0;
});

const filled = { choice: 'remove', person: 'ana', reason: 'nobody built it', target: 'x2x8k'.slice(-4) };
/** Submits the form, like a browser that has just opened the page. */
function sendOff(form: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}, to = link) {
  const asked = to === link ? card.questionDigest : questionDigest(lease.question);
  return fetch(to, { method: 'POST', body: new URLSearchParams({ asked, ...form }), headers, redirect: 'manual' });
}

/** Goes from the form to the page that says what became of it. */
async function answer(form: Readonly<Record<string, string>>, subject: string, to = link) {
  desk.provider.person = subject;
  const next = (await sendOff(form, {}, to)).headers.get('location') ?? '';
  expect(next).toMatch(/\/sign-in\/[A-Za-z0-9_-]{24}$/);
  return new Browser().go(next, 'POST');
}

async function checked(signed: SignedVote, reads = true, asked = question) {
  const stepUp = reads ? await desk.signIns.read([signed]) : undefined;
  return checkVote({ signed, question: asked, level: 0, roster, keys: voteKeys, now: Date.now(), ...(stepUp && { stepUp }) });
}

describe('the page of a question', () => {
  test('shows what the card shows, escaped, and changes nothing when viewed', async () => {
    const response = await fetch(link);
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const shown of [
      'Is the new binary in &lt;cart&gt; expected?',
      'quarantined',
      'pod.yaml, 8.2 KiB',
      '<strong>Until 1 Mar, 14:17 UTC</strong> oncall is asked.',
      'the last four characters of cart-x2x8k',
      'ends its &lt;containers&gt;',
      pod,
    ])
      expect(text).toContain(shown);
    expect(text).not.toContain('<containers>');
    expect(sent).toEqual([]);
  });

  test('asks for the fields of a choice’s form, and the sign-in covers them', async () => {
    expect(await (await fetch(link)).text()).toContain('In how many &lt;hours&gt;? <input type="number" name="form:later:hours"');
    const later = { choice: 'later', person: 'ana', 'form:later:hours': '400', 'form:later:who': 'ben' };
    const refused = await sendOff(later);
    expect([refused.status, await refused.text()]).toEqual([
      422,
      expect.stringContaining('In how many &lt;hours&gt;?: Enter a number from 1 to 72.'),
    ]);
    await answer({ ...later, 'form:later:hours': '4' }, 'sub-ana');
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    expect(vote.vote).toMatchObject({ choice: 'later', answers: { hours: 4, who: ['ben'] } });
    expect(await checked(vote)).toMatchObject({ ok: true });
    // The provider's word covers only these answers.
    const other = { ...vote.vote, answers: { hours: 5, who: ['ben'] } };
    const { idToken = '' } = vote;
    expect(await checked({ ...signVote(other), idToken })).toMatchObject({ ok: false });
  });

  test('lets whoever signs in decide, with a vote that the cell believes on the provider’s word alone', async () => {
    const page = await answer(filled, 'sub-ana');
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Received: “No, delete it”.') });
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    expect(vote.vote).toMatchObject({ via: 'page', person: 'ana', choice: 'remove', reason: 'nobody built it' });
    // Nobody waits for an answer in Slack.
    expect(remembered).toEqual([]);
    expect(await checked(vote)).toMatchObject({ ok: true, person: 'ana', signIn: { subject: 'sub-ana' } });
    const { idToken: _, ...bare } = vote;
    expect(await checked(bare)).toEqual({ ok: false, reason: expect.stringContaining('needs a sign-in'), signed: true });
    expect(await checked(vote, false)).toEqual({
      ok: false,
      reason: expect.stringContaining('has no identity provider'),
      signed: true,
    });
  });

  test('needs that word even for a choice that changes nothing: nothing else says who it is', async () => {
    await answer({ choice: 'keep', person: 'ben' }, 'sub-ben');
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    expect(await checked(vote)).toMatchObject({ ok: true, person: 'ben' });
    const { idToken: _, ...bare } = vote;
    expect(await checked(bare)).toMatchObject({ ok: false });
  });

  test('decides nothing if somebody else signs in', async () => {
    expect(await answer(filled, 'sub-ben')).toMatchObject({ status: 403 });
    expect([sent, refusals]).toEqual([[], ['signed in as somebody else: sub-ben']]);
  });

  test.each([
    ['no answer', { ...filled, choice: '' }, 'Choose an answer.'],
    ['an answer that does not exist', { ...filled, choice: 'x' }, 'Choose an answer.'],
    ['nobody', { ...filled, person: '' }, 'Say who you are.'],
    ['somebody the provider does not know', { ...filled, person: 'eve' }, 'Say who you are.'],
    ['no reason', { ...filled, reason: '' }, ''],
    ['a reason that is too long', { ...filled, reason: 'x'.repeat(501) }, 'characters; this one has 501'],
    [
      'a reason that is too long where none is needed',
      { choice: 'keep', person: 'ben', reason: 'x'.repeat(501) },
      'this one has 501',
    ],
    ['another target', { ...filled, target: 'zzzz' }, 'These are not the last four characters'],
  ])('is not accepted with %s, and keeps what was typed', async (_what, form, problem) => {
    const response = await sendOff(form);
    const text = await response.text();
    expect(response.status).toBe(422);
    expect(text).toMatch(/class="wrong"/);
    expect(text).toContain(problem);
    if (form.reason) expect(text).toContain(`${form.reason}</textarea>`);
  });

  test('refuses whoever may not answer', async () => {
    const response = await sendOff({ ...filled, person: 'lea' });
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining('Only oncall may answer this')]);
    expect(refusals).toHaveLength(1);
  });

  test('cannot be submitted by another site', async () => {
    expect((await sendOff(filled, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await sendOff(filled, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await sendOff(filled, { origin: desk.publicUrl, 'sec-fetch-site': 'same-origin' })).status).toBe(303);
  });

  test('has its own link: an answer’s link, a made-up one and another method open nothing', async () => {
    const [other] = (await cards.buttonsOf(question.id)).filter(({ choice }) => choice === 'remove');
    for (const id of [other?.buttonId, `b_${'A'.repeat(24)}`, 'x', '../../metrics', ''])
      expect((await fetch(`${desk.publicUrl}${answerPrefix}${id}`)).status).toBe(404);
    expect((await fetch(link, { method: 'DELETE' })).status).toBe(403);
    expect((await sendOff({ ...filled, reason: 'x'.repeat(20_000) })).status).toBe(403);
  });

  test('says how it was decided, and then asks nothing more', async () => {
    timeline.push(
      { at: '2026-03-01T14:05:00Z', kind: 'vote.refused', actor: 'person/ana', text: 'The person who asks may not answer.' },
      { at: '2026-03-01T14:06:00Z', kind: 'vote.accepted', actor: 'person/lea', text: 'Lea: remove: I never said so' },
    );
    await answer({ choice: 'keep', person: 'ben' }, 'sub-ben');
    const unsigned = sent.map((one) => ({ ...one, vote: { ...one.vote, person: 'ana' } }));
    current = {
      ...state,
      votes: [...sent, ...unsigned],
      status: { state: 'decided', choice: 'keep', by: ['ben'], at: '2026-03-01T14:06:00Z' },
    };
    const text = await (await fetch(link)).text();
    expect(text).toContain('14:05 UTC  Ana was refused: The person who asks may not answer.');
    expect(text).toMatch(/UTC {2}Ben: Keep it/);
    expect(text).not.toMatch(/I never said so|Ana: keep/);
    expect(text).toContain('This is no longer asked: decided: Keep it, by Ben');
    expect(text).not.toContain('<form');
  });

  test('says so if the incident does not respond, and still accepts the answer', async () => {
    current = undefined;
    expect(await (await fetch(link)).text()).toContain('The incident does not answer at the moment');
    expect((await sendOff(filled)).status).toBe(303);
  });
});

describe('the page about what is in force', () => {
  const linkOf = async () =>
    (await createAnswerLinks({ cards, publicUrl: desk.publicUrl })({ question: leaseAsked.id, incident })) ?? '';

  test('has a stable link, and is linked from the page of the question', async () => {
    const url = await linkOf();
    expect(await linkOf()).toBe(url);
    expect(url).not.toContain('0123456789abcdef');
    const text = await (await fetch(link)).text();
    expect(text).toContain(
      `<a href="${url.slice(desk.publicUrl.length)}">cart-x2x8k quarantined: extend it, keep it for good, or end it?</a>`,
    );
  });

  test('says what is in force, until when, and what each answer does', async () => {
    const text = await (await fetch(await linkOf())).text();
    for (const shown of [
      'cart-x2x8k quarantined: extend it, keep it for good, or end it?',
      'Drop &lt;x&gt;: 2 times, 14:01 to 14:02',
      '&lt;cart&gt; quarantined: not proven yet, since 1 Mar, 14:02 UTC, until 1 Mar, 18:02 UTC (applied; no probe)',
      '<strong>Release pod</strong> Needs 2 people. This weakens the response.',
      'ends its &lt;containers&gt;',
    ])
      expect(text).toContain(shown);
    // Nothing is ended, so it does not ask for characters of its name.
    expect(text).not.toContain('name="target"');
    expect(sent).toEqual([]);
  });

  test('lets whoever signs in extend it, on the provider’s word alone', async () => {
    await answer({ choice: 'extend', person: 'ana' }, 'sub-ana', await linkOf());
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    expect(vote.vote).toMatchObject({ via: 'page', question: leaseAsked.id, choice: 'extend', person: 'ana' });
    expect(await checked(vote, true, leaseAsked)).toMatchObject({ ok: true, person: 'ana' });
    const { idToken: _, ...bare } = vote;
    expect(await checked(bare, true, leaseAsked)).toMatchObject({ ok: false });
  });

  test('requires a reason for a release, and accepts nothing from whoever is not asked', async () => {
    const url = await linkOf();
    const unreasoned = await sendOff({ choice: 'release', person: 'ana' }, {}, url);
    expect([unreasoned.status, await unreasoned.text()]).toEqual([422, expect.stringContaining('Give a reason')]);
    expect((await sendOff({ choice: 'release', person: 'ana', reason: 'our own job' }, {}, url)).status).toBe(303);
    expect((await sendOff({ choice: 'extend', person: 'lea' }, {}, url)).status).toBe(403);
    expect(sent).toEqual([]);
  });

  test('is bound to the current question: an earlier sign-in does not count for the next one', async () => {
    await answer({ choice: 'extend', person: 'ana' }, 'sub-ana', await linkOf());
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    const next = { ...leaseAsked, text: 'What becomes of it? (asked later)' };
    expect(await checked(vote, true, next)).toEqual({ ok: false, reason: expect.stringContaining('out of date'), signed: true });
    lease = { ...leaseState, question: next, digest: questionDigest(next) };
    await answer({ choice: 'extend', person: 'ana' }, 'sub-ana', await linkOf());
    const again = sent.at(-1);
    if (!again) throw new Error('no vote');
    expect(await checked(again, true, next)).toMatchObject({ ok: true });
  });

  test('signs no question but the one that it showed', async () => {
    const url = await linkOf();
    const form = { choice: 'release', person: 'ana', reason: 'our own job' };
    const text = await (await fetch(url)).text();
    const asked = /name="asked" value="([^"]+)"/.exec(text)?.[1] ?? '';
    expect(asked).toBe(questionDigest(leaseAsked));
    const next: Question = { ...leaseAsked, severity: 'low' };
    lease = { ...leaseState, question: next, digest: questionDigest(next) };
    const changed = await sendOff({ ...form, asked }, {}, url);
    expect([changed.status, await changed.text()]).toEqual([422, expect.stringContaining('has changed since')]);
    expect((await sendOff(form, {}, url)).status).toBe(303);
    expect((await sendOff({ ...filled, asked: 'sha256:x' })).status).toBe(422);
    expect(sent).toEqual([]);
  });

  test.each([
    ['of another incident', { incident: { ...incident, id: 'incident/lab/shop/Deployment/other' } }],
    ['of another run', { incident: { ...incident, run: 'run-2' } }],
    ['that releases but says that it extends', { choices: [{ id: 'extend', label: 'Extend it', plans: [undo], quorum: 1 }] }],
    ['that deletes but says that it releases', { choices: [{ id: 'release', label: 'Release it', plans: [remove], quorum: 1 }] }],
  ] satisfies readonly (readonly [string, Partial<Question>])[])('shows and signs no question %s', async (_what, changes) => {
    const url = await linkOf();
    const other: Question = { ...leaseAsked, ...changes };
    lease = { ...leaseState, question: other, digest: questionDigest(other) };
    expect((await fetch(url)).status).toBe(404);
    expect((await sendOff({ choice: 'extend', person: 'ana' }, {}, url)).status).toBe(404);
    expect(await (await fetch(link)).text()).not.toContain('extend it, keep it');
    expect(sent).toEqual([]);
  });

  test('asks nothing once it is over, and says so if the incident does not respond', async () => {
    const url = await linkOf();
    lease = { ...leaseState, status: { state: 'void', why: 'given back', at: '2026-03-01T15:00:00Z' } };
    const text = await (await fetch(url)).text();
    expect(text).toContain('This is no longer asked: void: given back');
    expect(text).not.toContain('<form');
    expect((await sendOff({ choice: 'extend', person: 'ana' }, {}, url)).status).toBe(404);
    expect(await (await fetch(link)).text()).not.toContain('extend it, keep it');
    current = undefined;
    expect((await fetch(url)).status).toBe(503);
  });
});

describe('the link', () => {
  const page: Page = {
    key: 'page/x',
    nth: 0,
    group: 'oncall',
    incident: { ...incident, title: 'deployment/shop/cart', severity: 'critical', cluster: 'lab' },
    question: question.id,
    summary: question.text,
    details: { alerts: '3' },
  };

  test('is whole in the page that wakes people, and no page is held up when there is no link', async () => {
    const routingKey = 'a'.repeat(32);
    const fake = await startPagerDutyFake({ routingKeys: [routingKey] });
    const pager = linkingPager(redactedPager(createPagerDuty({ apiUrl: fake.url, routingKey })), {
      answerLink: createAnswerLinks({ cards, publicUrl: desk.publicUrl }),
    });
    const signal = new AbortController().signal;
    await pager?.page(page, signal);
    const { question: _, ...ofLease } = page;
    await pager?.page({ ...ofLease, key: 'page/y' }, signal);
    await pager?.page({ ...page, key: 'page/z', question: 'unknown' }, signal);
    expect(fake.alerts.map(({ triggers }) => JSON.stringify(triggers).includes(link))).toEqual([true, false, false]);
    await fake.stop();
  });

  test('does not make a vote with a foreign key count', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    await answer(filled, 'sub-ana');
    const [vote] = sent;
    if (!vote) throw new Error('no vote');
    expect(await checked({ ...vote, signature: sign(null, Buffer.from('x'), privateKey).toString('base64') })).toMatchObject({
      ok: false,
    });
  });
});
