import { describe, expect, test } from '@jest/globals';
import type { Plan } from '../../../core/action/plan.ts';
import type { AuditRecord, SignedRecord } from '../../../core/audit/audit.ts';
import { DecisionCheck, type VoteSigners } from '../../../core/audit/audit-decisions.ts';
import { type Question, questionDigest, type SignedVote, type Vote, voteBytes } from '../../../core/decide/approval.ts';
import { type Remark, remarkBytes } from '../../../core/incident/remark.ts';
import { orderBytes } from '../../../core/orders/order.ts';
import { createVerifier, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { maker } from '../../suites/signed-records.ts';

const desk = signerFrom({ pem: newPrivateKey(), name: 'desk' });
const own = signerFrom({ pem: newPrivateKey(), name: 'ben' });
const stranger = signerFrom({ pem: newPrivateKey(), name: 'stranger' });
const signers: VoteSigners = {
  ...createVerifier({ publicKeys: [desk.publicKey, own.publicKey] }),
  keyIdsFor: (person, via) => (via === 'cli' ? (person === 'ben' ? [own.keyId] : []) : [desk.keyId]),
};

const incident = { id: 'incident/c/shop/Deployment/cart', run: 'run-1' };
const chain = `${incident.id}@${incident.run}`;
const wipe: Plan = {
  action: 'deletePod',
  effect: 'destructive',
  reach: 'namespace',
  target: { name: 'pod/shop/cart-1', uid: 'u' },
  changes: [],
  blastRadius: ['pod/shop/cart-1'],
  notes: [],
  inputDigest: 'd',
};
const question: Question = {
  id: 'q1',
  incident,
  severity: 'critical',
  text: 'Is it expected?',
  choices: [
    { id: 'keep', label: 'Yes', plans: [], quorum: 1 },
    { id: 'remove', label: 'No', plans: [wipe], quorum: 2 },
  ],
  levels: [{ group: 'oncall', withinMs: 900_000 }],
  requester: 'playbook/contain',
  onSilence: 'It stays.',
};

async function voteOf(person: string, choice: string, changes: Partial<Vote> = {}, signer = desk): Promise<SignedVote> {
  const vote: Vote = {
    version: 1,
    id: `${person}-${choice}`,
    incident,
    question: question.id,
    questionDigest: questionDigest(question),
    choice,
    person,
    via: 'slack',
    at: '2026-03-01T10:00:00Z',
    ...changes,
  };
  return { vote, keyId: signer.keyId, signature: await signer.sign(voteBytes(vote)) };
}

type Line = Pick<AuditRecord, 'kind' | 'actor' | 'body'>;
const asked: Line = { kind: 'question.asked', actor: 'playbook/contain', body: { text: question.text, question, digest: 'd' } };
const accepted = ({ vote, keyId, signature }: SignedVote): Line => ({
  kind: 'vote.accepted',
  actor: `person/${vote.person}`,
  body: { text: 'said', vote, keyId, signature },
});
const decided = (choice: string, by: readonly string[], body: AuditRecord['body'] = {}): Line => ({
  kind: 'question.decided',
  actor: by.map((person) => `person/${person}`).join(','),
  body: { question: question.id, choice, by, ...body },
});

function recordsOf(lines: readonly Line[]): readonly SignedRecord[] {
  return lines.map((line, index) => maker.sign({ chain, number: index + 1, at: '2026-03-01T10:00:00Z', ...line }));
}

function found(lines: readonly Line[]): readonly (readonly [string, string])[] {
  const check = new DecisionCheck({ chain, signers });
  for (const record of recordsOf(lines)) check.add([record]);
  return check.findings.map(({ kind, text }) => [kind, text]);
}

describe('decisions on record', () => {
  test('follow from the signed votes before them', async () => {
    const [ada, ben] = [await voteOf('ada', 'remove'), await voteOf('ben', 'remove', { via: 'cli' }, own)];
    expect(found([asked, accepted(ada), accepted(ben), decided('remove', ['ada', 'ben'])])).toEqual([]);
    // A person’s last word counts.
    const changed = await voteOf('ada', 'keep');
    expect(found([asked, accepted(ada), accepted(changed), decided('keep', ['ada'])])).toEqual([]);
  });

  test('the question of a lease is recorded with its decision', async () => {
    const vote = accepted(await voteOf('ada', 'keep'));
    expect(found([vote, decided('keep', ['ada'], { asked: question })])).toEqual([]);
    expect(found([vote, decided('keep', ['ada'])])).toEqual([['decision-unproven', expect.stringContaining('no record says')]]);
  });

  test.each<readonly [string, () => Promise<Line>, RegExp]>([
    ['has no signature', async () => accepted({ ...(await voteOf('ada', 'keep')), signature: '' }), /does not have a valid sig/],
    [
      'has the signature of another',
      async () => accepted({ ...(await voteOf('ada', 'keep')), signature: (await voteOf('ada', 'remove')).signature }),
      /valid/,
    ],
    [
      'has lost its key',
      async () => ({ ...accepted(await voteOf('ada', 'keep')), body: { text: 'said' } }),
      /does not contain a signed vote/,
    ],
    [
      'is signed by a stranger',
      async () => accepted(await voteOf('ada', 'keep', {}, stranger)),
      /a key \(.*\) that is not a known/,
    ],
    [
      'is signed by another person',
      async () => accepted(await voteOf('ada', 'keep', { via: 'cli' }, own)),
      /not a known signing key/,
    ],
    [
      'came from Slack with a key of the person',
      async () => accepted(await voteOf('ben', 'keep', {}, own)),
      /not a known signing key/,
    ],
    [
      'is about another run',
      async () => accepted(await voteOf('ada', 'keep', { incident: { ...incident, run: 'run-0' } })),
      /is about .*@run-0/,
    ],
    [
      'is attributed to somebody else',
      async () => ({ ...accepted(await voteOf('ada', 'keep')), actor: 'person/ben' }),
      /as cast by person\/ben/,
    ],
  ])('a vote that %s is reported, and decides nothing', async (_, line, why) => {
    expect(found([asked, await line(), decided('keep', ['ada'])])).toEqual([
      ['vote-forged', expect.stringMatching(why)],
      ['decision-unproven', expect.stringContaining('it names ada, but no earlier record holds their vote')],
    ]);
  });

  test.each<readonly [string, () => Promise<readonly Line[]>, RegExp]>([
    ['nobody voted for', async () => [asked, decided('keep', ['ada'])], /names ada, but no earlier record holds their vote/],
    [
      'came before its vote',
      async () => [asked, decided('keep', ['ada']), accepted(await voteOf('ada', 'keep'))],
      /no earlier record holds their vote/,
    ],
    [
      'is for another choice',
      async () => [asked, accepted(await voteOf('ada', 'remove')), decided('keep', ['ada'])],
      /no earlier record holds their vote/,
    ],
    [
      'one person made alone',
      async () => [asked, accepted(await voteOf('ada', 'remove')), decided('remove', ['ada'])],
      /needs 2 people/,
    ],
    [
      'counts one person twice',
      async () => [asked, accepted(await voteOf('ada', 'remove')), decided('remove', ['ada', 'ada'])],
      /needs 2/,
    ],
    ['names nobody', async () => [asked, decided('keep', [])], /needs 1 people, but names 0/],
    ['names an unknown choice', async () => [asked, decided('burn', ['ada'])], /not a choice of the question/],
    [
      'relies on a vote on another version of the question',
      async () => [asked, accepted(await voteOf('ada', 'keep', { questionDigest: '0' })), decided('keep', ['ada'])],
      /no earlier record holds their vote/,
    ],
    [
      'the asker made',
      async () => {
        const own = { ...question, requester: 'person/ada' };
        const vote = await voteOf('ada', 'keep', { questionDigest: questionDigest(own) });
        return [{ ...asked, body: { question: own } }, accepted(vote), decided('keep', ['ada'])];
      },
      /no earlier record holds their vote/,
    ],
    [
      'understates its quorum',
      async () => {
        const low = { ...question, choices: question.choices.map((choice) => ({ ...choice, quorum: 1 })) };
        const vote = await voteOf('ada', 'remove', { questionDigest: questionDigest(low) });
        return [{ ...asked, body: { question: low } }, accepted(vote), decided('remove', ['ada'])];
      },
      /needs 2 people/,
    ],
  ])('a decision that %s is reported', async (_, lines, why) => {
    expect(found(await lines())).toEqual([['decision-unproven', expect.stringMatching(why)]]);
  });

  const order = { version: 1 as const, kind: 'evidence.read', person: 'ben', at: '2026-03-01T10:00:00Z', reason: 'to look' };
  const ordered = async (by: typeof own, changes: Partial<Line> = {}, via = {}): Promise<Line> => {
    const given = { ...order, ...via };
    const signed = { order: given, keyId: by.keyId, signature: await by.sign(orderBytes(given)) };
    return { kind: 'evidence.read', actor: 'person/ben', body: { text: 'reads', order: signed }, ...changes };
  };
  const remark: Remark = {
    version: 1,
    id: 'r1',
    incident,
    question: 'q1',
    kind: 'comment',
    person: 'ada',
    at: '2026-03-01T10:00:00Z',
    text: 'a word',
  };
  const commented = async (by: typeof own): Promise<Line> => {
    const signed = { remark, keyId: by.keyId, signature: await by.sign(remarkBytes(remark)) };
    return { kind: 'question.comment', actor: 'person/ada', body: { text: 'a word', question: 'q1', remark: signed } };
  };

  test('orders and comments belong to the people who signed them', async () => {
    const through = await ordered(desk, { kind: 'restraint.ended' }, { via: 'slack' });
    expect(found([await ordered(own), through, await commented(desk)])).toEqual([]);
    const { body } = await ordered(own);
    expect(found([await ordered(desk), await ordered(own, { actor: 'person/ada' }), await commented(own)])).toEqual([
      ['order-forged', expect.stringContaining('record 1: the order of ben is signed with a key')],
      ['order-forged', expect.stringContaining('record 2: the order of ben is recorded as coming from person/ada')],
      ['order-forged', expect.stringContaining('record 3: the remark of ada is signed with a key')],
    ]);
    const forged = { ...body, order: { ...Object(body.order), order: { ...order, reason: 'to destroy' } } };
    expect(found([await ordered(own, { body: forged }), await ordered(own, { body: { text: 'reads' } })])).toEqual([
      ['order-forged', expect.stringContaining('does not have a valid signature')],
      ['order-forged', expect.stringContaining('does not contain a signed order')],
    ]);
  });
});
