import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import { type QuestionPost, questionCard } from '../../../core/cards/question-card.ts';
import { type Question, questionDigest, type SignedVote, type Vote, voteBytes } from '../../../core/decide/approval.ts';
import { questionOf } from '../../../core/decide/decision.ts';
import { orderBytes, type SignedOrder } from '../../../core/orders/order.ts';
import type { ProposeRestraint, RestraintTerms } from '../../../core/orders/restraint.ts';
import type { Roster } from '../../../core/people/roster.ts';

const roster: Roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: ['U1'], keys: ['ana'] },
    { id: 'ben', name: 'Ben', slackIds: ['U2'], keys: [] },
  ],
  groups: { oncall: ['ana', 'ben'], leads: ['ben'] },
};
const pairs = new Map(['ana', 'desk', 'stranger'].map((id) => [id, generateKeyPairSync('ed25519')]));
const keys = {
  deskKeyIds: ['desk'],
  keyIdsOf: (person: { readonly keys: readonly string[] }) => person.keys,
  verify: (id: string, bytes: Uint8Array, signature: string) => {
    const pair = pairs.get(id);
    return pair !== undefined && verify(null, bytes, pair.publicKey, Buffer.from(signature, 'base64'));
  },
};
const signedWith = (id: string, bytes: Uint8Array): string => {
  const pair = pairs.get(id);
  if (!pair) throw new TypeError(`no key ${id}`);
  return sign(null, bytes, pair.privateKey).toString('base64');
};
const believes = { roster, keys };

const release: Plan = {
  action: 'undo:quarantinePod',
  effect: 'reversible',
  reach: 'pod',
  weakens: true,
  target: { name: 'pod/shop/cart-x2x8k', uid: 'u1' },
  changes: [{ target: 'pod/shop/cart-x2x8k', what: 'restores its labels' }],
  blastRadius: ['pod/shop/cart-x2x8k'],
  notes: ['it can talk to everybody again'],
  inputDigest: 'sha256:1',
};

const question: Question = {
  id: 'run-1/1-q',
  incident: { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' },
  severity: 'critical',
  text: 'Is it expected?',
  choices: [
    { id: 'release', label: 'Release pod', plans: [release], quorum: 1 },
    { id: 'stay', label: 'No', plans: [], quorum: 1 },
  ],
  levels: [
    { group: 'oncall', withinMs: 1 },
    { group: 'leads', withinMs: 1 },
  ],
  requester: 'playbook/x',
  onSilence: 'It stays.',
};

function voteOf(changes: Partial<Vote> = {}, key = 'desk', about = question): SignedVote {
  const vote: Vote = {
    version: 1,
    id: `click-${key}-${changes.person ?? 'ana'}`,
    incident: about.incident,
    question: about.id,
    questionDigest: questionDigest(about),
    choice: 'release',
    person: 'ana',
    via: 'slack',
    at: '2026-03-01T10:00:00Z',
    reason: 'ours',
    ...changes,
  };
  return { vote, keyId: key, signature: signedWith(key, voteBytes(vote)) };
}

function postOf(changes: Partial<QuestionPost> = {}, stand: Partial<QuestionPost['stand']> = {}): QuestionPost {
  return {
    question,
    about: {
      kind: 'incident',
      happened: { rule: 'a rule', sensor: 'falco', at: '2026-03-01T10:00:00Z', count: 1 },
      contained: [],
      evidence: [],
    },
    stand: { severity: 'low', level: 0, until: '2026-03-01T11:00:00Z', votes: [], status: { state: 'open' }, ...stand },
    ...changes,
  };
}

describe('the card of a question', () => {
  test('describes a choice by its plans, and has the digest of exactly this question', () => {
    const card = questionCard(postOf(), believes);
    expect(card).toMatchObject({
      questionDigest: questionDigest(question),
      text: 'Is it expected?',
      incident: { title: 'deployment/shop/cart', cluster: 'lab', severity: 'critical' },
      level: { group: 'oncall', number: 1, next: 'leads' },
    });
    expect(card.choices[0]).toMatchObject({
      weakens: true,
      destructive: false,
      quorum: 2,
      changes: ['pod/shop/cart-x2x8k: restores its labels'],
      blastRadius: ['pod/shop/cart-x2x8k'],
      notes: ['it can talk to everybody again'],
    });
  });

  test('says when silence really counts: earlier than planned if somebody has called the last level early, and never later', () => {
    const planned = '2026-03-01T12:00:00.000Z';
    const levels = [
      { group: 'oncall', withinMs: 3_600_000 },
      { group: 'leads', withinMs: 3_600_000 },
    ];
    const deadlineAt = (level: number, until: string) =>
      questionCard(postOf({ question: { ...question, levels, until: planned } }, { level, until }), believes).deadline;
    expect(deadlineAt(0, '2026-03-01T11:00:00.000Z')).toBe(planned);
    expect(deadlineAt(1, '2026-03-01T11:20:00.000Z')).toBe('2026-03-01T11:20:00.000Z');
    expect(deadlineAt(1, '2026-03-01T12:00:30.000Z')).toBe(planned);
    expect(questionCard(postOf(), believes).deadline).toBeUndefined();
  });

  test('takes its choices, digest and incident only from the question, whatever else the post contains', () => {
    const lies = {
      questionDigest: 'sha256:another',
      choices: [],
      text: 'Harmless?',
      incident: { id: 'x', run: 'y', title: 'a test', severity: 'info', cluster: 'test' },
    };
    const post = postOf();
    const lying = { ...post, ...{ about: { ...post.about, ...lies }, stand: { ...post.stand, ...lies } } };
    const card = questionCard(lying as QuestionPost, believes);
    expect(card).toEqual(questionCard(post, believes));
  });

  test('requires no fewer people than the plans do, even if the question asks for fewer, and more if the incident got worse', () => {
    const low: Question = { ...question, severity: 'low' };
    const quorums = (post: QuestionPost) => questionCard(post, believes).choices.map(({ quorum }) => quorum);
    expect(quorums(postOf({ question: low }))).toEqual([1, 1]);
    expect(quorums(postOf({ question: low }, { severity: 'critical' }))).toEqual([2, 1]);
    expect(quorums(postOf({}, { severity: 'info' }))).toEqual([2, 1]);
  });

  test('shows only votes with valid signatures, and only people who signed as having decided', () => {
    const votes = [
      voteOf(),
      voteOf({ person: 'ben' }, 'stranger'),
      voteOf({ person: 'ben' }, 'ana'),
      voteOf({ person: 'nobody' }),
      { ...voteOf({ person: 'ben' }), signature: voteOf().signature },
      voteOf({ person: 'ben', questionDigest: 'sha256:another' }),
      voteOf({ person: 'ben', choice: 'other' }),
    ];
    const open = questionCard(postOf({}, { votes }), believes);
    expect(open.votes).toEqual([{ person: 'ana', choice: 'release', at: '2026-03-01T10:00:00Z', reason: 'ours' }]);
    const status = { state: 'decided', choice: 'release', by: ['ana', 'ben'], at: '2026-03-01T10:01:00Z' } as const;
    expect(questionCard(postOf({}, { votes, status }), believes).status).toEqual({ ...status, by: ['ana'] });
  });

  test('shows a vote signed with its person’s own key', () => {
    const votes = [voteOf({ via: 'cli' }, 'ana')];
    expect(questionCard(postOf({}, { votes }), believes).votes).toHaveLength(1);
  });
});

describe('the card of a decision above all incidents', () => {
  const terms: RestraintTerms = {
    version: 1,
    id: '0123456789abcdef',
    cluster: 'lab',
    mode: 'observe',
    scope: { kind: 'cluster' },
    owner: 'ana',
    reason: 'a test of the network',
    from: '2026-03-01T10:00:00Z',
    until: '2026-03-02T10:00:00Z',
  };
  const control = { id: 'control/lab', run: 'run-1' };
  const propose = (about: RestraintTerms, key = 'ana'): SignedOrder<ProposeRestraint> => {
    const order = { version: 1, kind: 'restraint.propose', person: 'ana', at: about.from, terms: about } as const;
    return { order, keyId: key, signature: signedWith(key, orderBytes(order)) };
  };
  const asked = questionOf({ proposal: propose(terms), control, levels: question.levels });
  const postIt =
    (about: QuestionPost['about'], of = asked) =>
    () =>
      questionCard(postOf({ question: of, about }, { level: 1 }), believes);

  test('is built from what was signed', () => {
    const card = postIt({ kind: 'proposal', proposal: propose(terms) })();
    expect(card).toMatchObject({
      incident: { title: 'decisions of lab' },
      happened: { rule: 'observe mode for the whole cluster' },
      onSilence: 'The response stays as it is.',
      level: { group: 'oncall or leads', number: 1 },
    });
    expect(card.choices[0]).toMatchObject({ quorum: 2, weakens: true });
    expect(card.choices[0]?.notes).toContain('reason: a test of the network');
  });

  test.each([
    ['whose proposal is about something else', { kind: 'proposal', proposal: propose({ ...terms, mode: 'freeze' }) }],
    ['whose proposal nobody on the roster has signed', { kind: 'proposal', proposal: propose(terms, 'stranger') }],
    ['without a proposal', postOf().about],
  ] satisfies readonly (readonly [string, QuestionPost['about']])[])('is not built for a question %s', (_, about) => {
    expect(postIt(about)).toThrow('FB_ERR_REFUSED');
  });

  test('is not built for the decisions of another cluster, nor for an incident', () => {
    const proposal = propose(terms);
    expect(postIt({ kind: 'proposal', proposal }, { ...asked, incident: { ...control, id: 'control/prod' } })).toThrow();
    expect(postIt({ kind: 'proposal', proposal }, question)).toThrow();
  });
});
