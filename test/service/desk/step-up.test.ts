import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createChokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import { countedIn } from '../../../activities/chokepoint/reservations.ts';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { Plan } from '../../../core/action/plan.ts';
import type { StepCall } from '../../../core/action/step.ts';
import type { StoredButton } from '../../../core/cards/card.ts';
import { type ApprovalProof, type Question, questionDigest, type SignedVote } from '../../../core/decide/approval.ts';
import { checkVote } from '../../../core/decide/vote-check.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { ClickVotes, TrustedClick } from '../../../service/desk/click-votes.ts';
import { askingWith } from '../../activities/chokepoint-fixture.ts';
import { Browser } from '../../fakes/oidc/browser.ts';
import { signVote, voteKeys } from '../../workflows/people.ts';
import { roster, type SignInDesk, startSignInDesk } from './sign-in-desk.ts';

const incident = { id: 'incident/lab/node/node-a', run: 'run-1' };
const input = { node: 'node-a' };
const plan: Plan = {
  action: 'drainNode',
  effect: 'destructive',
  reach: 'node',
  target: { name: 'node/node-a', uid: 'uid-a' },
  changes: [{ target: 'node/node-a', what: 'evicts <3> pods' }],
  blastRadius: ['node/node-a', 'pod/shop/cart-1'],
  notes: [],
  inputDigest: digestOf(input),
};

function questionWith(id: string, note?: string): Question {
  return {
    id,
    incident,
    severity: 'critical',
    text: 'Drain <node-a>?',
    choices: [
      {
        id: 'drain',
        label: 'Yes, drain it',
        plans: [note === undefined ? plan : { ...plan, notes: [note] }],
        quorum: 2,
        stepUp: true,
      },
      { id: 'leave', label: 'No', plans: [], quorum: 1 },
    ],
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    requester: 'playbook/p',
    onSilence: 'It stays.',
  };
}
const question = questionWith('q1');

const slackIds: Readonly<Record<string, string>> = { ana: 'U1', ben: 'U2', eve: 'U3' };
function clickOf(person: string, asked = question, choice = 'drain'): TrustedClick {
  const button: StoredButton = {
    buttonId: 'b',
    incident,
    question: asked.id,
    questionDigest: questionDigest(asked),
    choice,
    label: 'Yes, drain it',
    groups: ['oncall'],
    requester: asked.requester,
  };
  return { clickId: `click-${person}`, slackUser: slackIds[person] ?? '', channel: 'C1', button, reason: 'a rootkit' };
}
const shown = {
  text: question.text,
  incident: 'node/node-a',
  choice: { label: 'Yes, drain it', changes: ['evicts <3> pods'], blastRadius: ['node/node-a'], notes: [] },
};

/** What has reached the incident. */
let sent: SignedVote[] = [];
let deliverable = true;
const votes: ClickVotes = {
  mayAnswer: async ({ slackUser }) => (slackUser === 'U9' ? { refusal: 'You are not on call.' } : {}),
  vote: async ({ clickId, slackUser, button, reason, idToken }) => {
    if (!deliverable) return { text: 'Could not be delivered.' };
    const person = roster.people.find(({ slackIds: own }) => own.includes(slackUser))?.id ?? '';
    const vote = {
      version: 1 as const,
      id: clickId,
      incident: button.incident,
      question: button.question,
      questionDigest: button.questionDigest,
      choice: button.choice,
      person,
      via: 'slack' as const,
      at: new Date().toISOString(),
      ...(reason !== undefined && { reason }),
    };
    sent.push({ ...signVote(vote), ...(idToken !== undefined && { idToken }) });
    return { text: 'Received: “Yes, drain it”.', taken: true };
  },
};

const refusals: string[] = [];
let desk: SignInDesk;

beforeAll(async () => {
  desk = await startSignInDesk({
    votes,
    ends: async () => {
      throw new Error('what is asked here are votes');
    },
    reaches: ['namespace', 'node', 'cluster'],
    refused: (refusal) => refusals.push(refusal),
  });
});
afterAll(() => desk.stop());
beforeEach(() => {
  sent = [];
  deliverable = true;
  refusals.length = 0;
});

async function linkFor(person: string, asked = question): Promise<string> {
  const { link } = await desk.flow.open(clickOf(person, asked), shown);
  if (link === undefined) throw new Error('a link was to be had');
  return link;
}

/** The whole sign-in, as a browser goes through it. */
async function signIn(person: string, asked = question): Promise<SignedVote> {
  desk.provider.person = `sub-${person}`;
  const page = await new Browser().go(await linkFor(person, asked), 'POST');
  expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Received: “Yes, drain it”.') });
  const vote = sent.at(-1);
  if (!vote) throw new Error('no vote was sent');
  return vote;
}

async function checked(signed: SignedVote, asked = question) {
  const stepUp = await desk.signIns.read([signed]);
  return checkVote({ signed, question: asked, level: 0, roster, keys: voteKeys, now: Date.now(), stepUp });
}

describe('the way from the click to the vote', () => {
  test('goes through the provider, and the token sent with the vote proves it to the cell', async () => {
    const vote = await signIn('ana');
    expect(vote.vote).toMatchObject({ id: 'click-ana', person: 'ana', choice: 'drain', reason: 'a rootkit' });
    expect(await checked(vote)).toMatchObject({
      ok: true,
      person: 'ana',
      signIn: { issuer: desk.provider.issuer, subject: 'sub-ana' },
    });
  });

  test('shows what would be decided, with everything escaped, and changes nothing when viewed', async () => {
    const link = await linkFor('ana');
    const response = await fetch(link);
    const text = await response.text();
    expect(text).toContain('Drain &lt;node-a&gt;?');
    expect(text).toContain('evicts &lt;3&gt; pods');
    expect(text).toContain('Your reason: a rootkit');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(sent).toEqual([]);
  });

  test('ends if somebody else signs in, which is recorded', async () => {
    desk.provider.person = 'sub-ben';
    const page = await new Browser().go(await linkFor('ana'), 'POST');
    expect(page).toMatchObject({ status: 403, text: expect.stringContaining('somebody other than') });
    expect(sent).toEqual([]);
    expect(refusals).toEqual(['signed in as somebody else: sub-ben']);
  });

  test('ends in the browser where it began', async () => {
    desk.provider.person = undefined;
    const [own, other] = [new Browser(), new Browser()];
    const link = await linkFor('ana');
    const form = await own.go(link, 'POST');
    expect(form.text).toBe('Who are you?');
    desk.provider.person = 'sub-ana';
    const begun = await fetch(link, { method: 'POST', redirect: 'manual' });
    // The other browser visits the provider's address that the first was sent to, and has no cookie of the desk.
    const page = await other.go(begun.headers.get('location') ?? '');
    expect(page).toMatchObject({ status: 403, text: expect.stringContaining('another browser') });
    expect(sent).toEqual([]);
  });

  test('can be taken once, and again only if the vote was not delivered', async () => {
    desk.provider.person = 'sub-ana';
    const link = await linkFor('ana');
    deliverable = false;
    expect((await new Browser().go(link, 'POST')).text).toContain('Could not be delivered.');
    deliverable = true;
    expect((await new Browser().go(link, 'POST')).text).toContain('Received');
    expect(await new Browser().go(link, 'POST')).toMatchObject({ status: 404 });
    expect(await new Browser().go(link)).toMatchObject({ status: 404 });
    expect(sent).toHaveLength(1);
  });

  test('is closed to whoever may not answer or has no account at the provider in the roster', async () => {
    expect(await desk.flow.open({ ...clickOf('ana'), slackUser: 'U9' }, shown)).toEqual({ text: 'You are not on call.' });
    const unknown = await desk.flow.open(clickOf('eve'), shown);
    expect(unknown).toEqual({ text: expect.stringContaining('does not link you to an account') });
    for (const path of ['nothing', '../x', `${'A'.repeat(24)}`, 'callback?state=x&code=y', 'callback'])
      expect((await new Browser().go(`${desk.publicUrl}/sign-in/${path}`)).status).toBeGreaterThanOrEqual(400);
  });
});

describe('the cell', () => {
  test('refuses a vote without the provider’s word, or with its word for something else', async () => {
    const { idToken, ...bare } = await signIn('ana');
    if (idToken === undefined) throw new Error('the vote carries no token');
    expect(await checked(bare)).toEqual({ ok: false, reason: expect.stringContaining('needs a sign-in'), signed: true });
    expect(await checked({ ...bare, idToken: `${idToken}x` })).toMatchObject({ ok: false });
    const bens = { ...signVote({ ...bare.vote, id: 'other', person: 'ben' }), idToken };
    expect(await checked(bens)).toEqual({ ok: false, reason: 'You signed in as somebody else.', signed: true });
    const changed = questionWith('q1', 'one pod more');
    const moved = { ...signVote({ ...bare.vote, questionDigest: questionDigest(changed) }), idToken };
    expect(await checked(moved, changed)).toEqual({
      ok: false,
      reason: expect.stringContaining('for a different answer'),
      signed: true,
    });
    const later = { ...signVote({ ...bare.vote, at: new Date(Date.now() + 4 * 60_000 + 3_600_000).toISOString() }), idToken };
    expect(await checked(later)).toMatchObject({ ok: false });
  });

  test('asks for nothing but the vote if nothing far-reaching is done', async () => {
    const { vote } = await signIn('ana');
    const no = signVote({ ...vote, id: 'no', choice: 'leave' });
    expect(await checked(no)).toMatchObject({ ok: true });
  });

  test('runs the step only with the provider’s word for each vote, whatever the workflow says', async () => {
    const done: string[] = [];
    const action = {
      declaration: {
        name: 'drainNode',
        title: 'drain',
        effect: 'destructive',
        reach: 'node',
        pool: 'cell',
        requires: [],
        timeouts: { planMs: 1, applyMs: 1, verifyMs: 1 },
        rights: [],
        verifiedBy: '',
        undo: '',
        example: input,
      },
      input: z.object({ node: z.string() }),
      implementation: {
        plan: async () => plan,
        apply: async () => done.push('drained'),
        started: async () => false,
        verify: async () => ({ state: 'applied', detail: '' }),
      },
    } satisfies RegisteredAction<{ node: string }, unknown>;
    const chokepoint = createChokepoint({
      actions: [action as unknown as RegisteredAction],
      rules: {
        protectedNamespaces: [],
        ownNamespace: 'firebreak',
        ownerShare: 1,
        namespaceCap: 1,
        clusterCap: 1,
      },
      roster,
      keys: voteKeys,
      signIns: desk.signIns,
      census: { ownerReplicas: () => undefined, ...countedIn(() => new Map()), containedBy: () => new Set() },
      hasEvidence: async () => true,
      evidenceWait: { ms: 0 },
      asking: () => askingWith([action as unknown as RegisteredAction]),
      incidents: new IncidentMemory(),
      votes: new VoteMemory(),
    });
    const [ana, ben] = [await signIn('ana'), await signIn('ben')];
    const apply = (approval: ApprovalProof) => {
      const call: StepCall = {
        key: 'k',
        action: 'drainNode',
        input,
        incident,
        incidentTitle: 'node/node-a',
        playbook: 'p',
        severity: 'critical',
        ownerContained: 0,
        evidence: [],
        evidenceDeadline: '2020-01-01T00:00:00Z',
        approval,
      };
      const signal = new AbortController().signal;
      return chokepoint.apply(call, { key: 'k', incident: incident.id, run: incident.run, fast: false, signal });
    };
    const { idToken: _, ...bare } = ben;
    const refused = { code: 'FB_ERR_APPROVAL_INVALID' };
    await expect(apply({ question, choice: 'drain', votes: [ana, bare] })).rejects.toMatchObject(refused);
    await expect(
      apply({ question, choice: 'drain', votes: [ana, { ...bare, idToken: ana.idToken ?? '' }] }),
    ).rejects.toMatchObject(refused);
    await expect(apply({ question, choice: 'drain', votes: [ana] })).rejects.toMatchObject(refused);
    expect(done).toEqual([]);
    await apply({ question, choice: 'drain', votes: [ana, ben] });
    expect(done).toEqual(['drained']);
  });
});
