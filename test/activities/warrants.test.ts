import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Authority } from '../../activities/chokepoint/approval-check.ts';
import { createWarrantIssuer, createWarrantRule } from '../../activities/chokepoint/warrants.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { UsedWarrants } from '../../activities/memory/used-warrants.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { StepCall, UndoReason } from '../../core/action/step.ts';
import { type ApprovalProof, type Question, questionDigest, type SignedVote } from '../../core/decide/approval.ts';
import { type SignedWarrant, type Warrant, warrantBytes } from '../../core/decide/warrant.ts';
import type { Roster } from '../../core/people/roster.ts';
import { DurableMemory } from '../../service/cell/pools/durable-memory.ts';
import { roster, signVote } from '../workflows/people.ts';
import { member, trusting } from '../workflows/speakers.ts';
import {
  action,
  approvalOf,
  askingWith,
  callOf,
  chokepoint,
  context,
  heardSince,
  incident,
  noteOf,
  now,
  partsWithout,
  planOf,
  pod,
  refusal,
  setUp,
  undoPlan,
  world,
} from './chokepoint-fixture.ts';

/*
 * A cell and a pool with memories of their own: the cell has heard the alerts and has seen the votes arrive, the pool has not. Between the answer
 * and the step the shift of who answered has ended.
 */

const minute = 60_000;
const [cell, otherCell, pool] = [member('cell', 'lab'), member('cell', 'other'), member('secrets', 'lab')];
const trust = trusting([cell, otherCell, pool]);
const refused = 'FB_ERR_APPROVAL_INVALID';
const outdated = 'FB_ERR_WARRANT_OUTDATED';

const shift = { from: now - 60 * minute, until: now - 20 * minute, person: 'ana' };
const people: Roster = {
  ...roster,
  schedules: { oncall: { timeZone: 'UTC', rotations: [], overrides: [], shifts: [shift] } },
};
const plan = planOf('remove', 'destructive', { pod });

function answered(agoMs: number, over: Partial<Question> = {}): { readonly proof: ApprovalProof; readonly vote: SignedVote } {
  const { question } = approvalOf([plan], { question: { severity: 'high', ...over } });
  const vote = signVote({
    version: 1,
    id: `v-${agoMs}`,
    incident,
    question: question.id,
    questionDigest: questionDigest(question),
    choice: 'yes',
    person: 'ana',
    via: 'slack',
    reason: 'not ours',
    at: new Date(now - agoMs).toISOString(),
  });
  return { proof: { question, choice: 'yes', votes: [vote] }, vote };
}

const { proof, vote } = answered(30 * minute);
const call = callOf('remove', { approval: proof, severity: 'high' });

let votes: VoteMemory;
let incidents: IncidentMemory;
let clock: number;
let used: UsedWarrants;

const actions = () => [action(world, 'remove', 'destructive')];

function issuerWith(over: Partial<Authority> = {}, signer = cell.signer) {
  const asking = () => askingWith(actions());
  return createWarrantIssuer({ ...partsWithout, roster: people, asking, votes, incidents, now: () => clock, signer, ...over });
}

const cellWith = (over: Partial<Authority> = {}, signer = cell.signer) => issuerWith(over, signer).issue;

/** A pool that has just started or restarted. */
function startPool(memory = used, who = people): void {
  const warrants = createWarrantRule({ trust, used: memory, now: () => clock });
  const began = heardSince(Date.parse('2026-05-01T00:00:00Z'));
  setUp({ roster: who, votes: new VoteMemory(), incidents: began, warrants, now: () => clock });
}

const applied = (which: StepCall, order = 'run/1'): Promise<string | undefined> =>
  refusal(chokepoint.apply(which, { ...context, order }));

beforeEach(() => {
  clock = now;
  votes = new VoteMemory();
  incidents = new IncidentMemory({ now: () => clock });
  used = new UsedWarrants();
  startPool();
  votes.note(proof.question, vote, { at: now - 30 * minute, level: 0, asked: 0, actors: [] });
});

describe('a step that people approved before the hand-over', () => {
  test('is refused by a pool that has seen no votes, and done with a warrant from the cell that has', async () => {
    expect(await applied(call)).toBe(refused);
    expect(world.applied).toEqual([]);
    const warrant = await cellWith()(call);
    expect(await applied({ ...call, warrant })).toBeUndefined();
    expect(world.applied).toHaveLength(1);
  });

  test('gets no warrant from a cell that has not seen the votes, against a different decision, or for voters named in an alert', async () => {
    expect(await refusal(cellWith({ votes: new VoteMemory() })(call))).toBe(refused);
    const alert = { id: 'batch-1', actors: ['ana'], counts: [], alerts: [] };
    incidents.hears(incident.id, alert, []);
    expect(await refusal(cellWith()(call))).toBe(refused);
    const otherwise = new VoteMemory();
    const no = signVote({ ...vote.vote, id: 'v-no', choice: 'no', person: 'ben' });
    for (const signed of [no, vote])
      otherwise.note(proof.question, signed, { at: now - 30 * minute, level: 0, asked: 0, actors: [] });
    expect(await refusal(cellWith({ votes: otherwise, incidents: new IncidentMemory() })(call))).toBe(refused);
  });

  test('gets no warrant without an approval of exactly this step', async () => {
    const { approval: _, ...without } = call;
    expect(await refusal(cellWith()(without))).toBe(refused);
    expect(await refusal(cellWith()({ ...call, input: { pod: { ...pod, uid: 'uid-2' } } }))).toBe(refused);
  });
});

describe('a warrant', () => {
  const signed = async (change: Partial<Warrant>, by = cell): Promise<SignedWarrant> => {
    const { warrant } = await cellWith()(call);
    const changed = { ...warrant, ...change };
    return { warrant: changed, keyId: by.signer.keyId, signature: await by.signer.sign(warrantBytes(changed)) };
  };

  test.each<[string, Partial<Warrant>]>([
    ['another incident', { incident: { id: 'incident/lab/shop/Deployment/other', run: incident.run } }],
    ['another run', { incident: { ...incident, run: 'run-2' } }],
    ['another step', { step: 'another step' }],
    ['another action', { action: 'drain' }],
    ['another target', { inputDigest: 'other' }],
    ['another plan', { planDigest: 'other' }],
    ['another approval', { proofDigest: 'other' }],
    ['another version', { version: 2 as never }],
  ])('for %s is not valid for this step', async (_what, change) => {
    expect(await applied({ ...call, warrant: await signed(change) })).toBe(refused);
    expect(world.applied).toEqual([]);
  });

  test.each([
    ['of the pool itself', pool],
    ['of another cluster’s cell', otherCell],
    ['of an untrusted stranger', member('cell', 'lab', 'a stranger')],
  ])('with the signature %s is not valid', async (_who, by) => {
    expect(await applied({ ...call, warrant: await signed({}, by) })).toBe(refused);
  });

  test('whose content was changed after it was signed is not valid', async () => {
    const warrant = await cellWith()(call);
    const changed = { ...warrant, warrant: { ...warrant.warrant, severity: 'low' as const } };
    expect(await applied({ ...call, warrant: changed })).toBe(refused);
  });

  test.each<[string, Partial<Warrant>]>([
    ['that has expired', { at: now - 10 * minute, until: now - 5 * minute }],
    ['from the future', { at: now + 5 * minute, until: now + 10 * minute }],
    ['that is valid for longer than a cell allows', { until: now + 60 * minute }],
  ])('%s is refused, so that another one is requested', async (_what, change) => {
    expect(await applied({ ...call, warrant: await signed(change) })).toBe(outdated);
  });

  test('is valid for one call, which may retry with it after a crash, even once it has expired; another call may not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-warrants-'));
    const begun = new DurableMemory(join(folder, 'kept'), console);
    begun.keeper('warrants').keepSince(now - 1);
    await begun.close();
    const first = new DurableMemory(join(folder, 'kept'), console);
    startPool(new UsedWarrants(first.keeper('warrants')));
    const warrant = await cellWith()(call);
    expect(await applied({ ...call, warrant })).toBeUndefined();
    await first.close();
    clock = now + 30 * minute;
    const second = new DurableMemory(join(folder, 'kept'), console);
    startPool(new UsedWarrants(second.keeper('warrants')));
    expect(await applied({ ...call, warrant }, 'run/2')).toBe(outdated);
    expect(await applied({ ...call, warrant })).toBeUndefined();
    await second.close();
    clock = now;
    const lost = new DurableMemory(join(folder, 'lost'), console);
    startPool(new UsedWarrants(lost.keeper('warrants')));
    expect(await applied({ ...call, warrant })).toBe(outdated);
    await lost.close();
    rmSync(folder, { recursive: true });
  });

  test('does not replace checks that the pool can do itself', async () => {
    const forged: ApprovalProof = { ...proof, votes: [{ ...vote, vote: { ...vote.vote, person: 'ben' } }] };
    const forgedCall = { ...call, approval: forged };
    const { warrant } = await cellWith()(call);
    const { proofDigestOf } = await import('../../core/decide/warrant.ts');
    const lying = { ...warrant, proofDigest: proofDigestOf(forgedCall) };
    const keyId = cell.signer.keyId;
    const signature = await cell.signer.sign(warrantBytes(lying));
    expect(await applied({ ...forgedCall, warrant: { warrant: lying, keyId, signature } })).toBe(refused);
    // If the cell knows it to be worse, it takes more people, whatever the call says.
    expect(await applied({ ...call, warrant: await signed({ actors: ['ana'] }) })).toBe(refused);
    world.note = 'something else now';
    expect(await applied({ ...call, warrant: await signed({}) })).toBe('FB_ERR_PLAN_CHANGED');
  });
});

describe('what a pool has contained', () => {
  const taken = callOf('quarantine');
  const release = undoPlan(taken);
  const said = approvalOf([release]);
  const reason: UndoReason = { kind: 'approved', proof: said, plan: release };
  const undone = (which: StepCall, why: UndoReason = reason): Promise<string | undefined> =>
    refusal(chokepoint.undo({ call: which, reason: why }, context));
  const heard = (): VoteMemory => {
    const all = new VoteMemory();
    for (const one of said.votes) all.note(said.question, one, { at: now, level: 0, asked: 0, actors: [] });
    return all;
  };
  const issuer = () =>
    issuerWith({ roster, votes: heard(), asking: () => askingWith([action(world, 'quarantine', 'reversible')]) });

  beforeEach(() => {
    startPool(used, roster);
    world.noted = [noteOf(taken)];
  });

  test('is released with a warrant from the cell that saw the votes for exactly this release', async () => {
    expect(await undone(taken)).toBe(refused);
    const warrant = await issuer().issueRelease({ call: taken, reason });
    expect(await undone({ ...taken, warrant })).toBeUndefined();
    expect(world.done).toContain('undo quarantine');
  });

  test('is not released with a warrant for the step itself, for another step, or an old one', async () => {
    const { warrant, keyId } = await issuer().issueRelease({ call: taken, reason });
    const forStep = { ...warrant, action: 'quarantine' };
    expect(
      await undone({ ...taken, warrant: { warrant: forStep, keyId, signature: await cell.signer.sign(warrantBytes(forStep)) } }),
    ).toBe(refused);
    const other = callOf('quarantine', { key: 'another step' });
    const ofOther = approvalOf([undoPlan(other)]);
    expect(
      await refusal(issuer().issueRelease({ call: taken, reason: { kind: 'approved', proof: ofOther, plan: undoPlan(other) } })),
    ).toBe(refused);
    clock += 10 * minute;
    expect(
      await undone({ ...taken, warrant: { warrant, keyId, signature: await cell.signer.sign(warrantBytes(warrant)) } }),
    ).toBe(outdated);
    expect(world.done).not.toContain('undo quarantine');
  });

  test('is never released by silence, or because a later part of a playbook failed', async () => {
    const silence: UndoReason = { kind: 'lease-ended', verdict: 'benign', severity: 'low' };
    expect(await undone(taken, silence)).toBe(refused);
    expect(await undone(taken, { kind: 'saga-failed' })).toBe(refused);
    expect(await refusal(issuer().issueRelease({ call: taken, reason: silence }))).toBe(refused);
  });
});
