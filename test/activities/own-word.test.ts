import { describe, expect, test } from '@jest/globals';
import { createCellActivities } from '../../activities/chokepoint/cell.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall, UndoReason } from '../../core/action/step.ts';
import type { Severity } from '../../core/alert/severity.ts';
import type { ApprovalProof, Question, SignedVote } from '../../core/decide/approval.ts';
import type { EnvelopeAsking } from '../../core/decide/asking.ts';
import type { AlertBatch } from '../../core/incident/incident.ts';
import type { Roster } from '../../core/people/roster.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { alertOf, batchOf, roster, signVote, voteKeys } from '../workflows/people.ts';
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
  planOf,
  pod,
  refusal,
  setUp,
  undoPlan,
  world,
} from './chokepoint-fixture.ts';

/*
 * Who decides is what the cell itself knows: its playbooks, its configuration, and what it has heard of the incident. A call, a question and its
 * signed votes may say anything.
 */

const refused = 'FB_ERR_APPROVAL_INVALID';
const quick: AnyPlaybook = { id: 'q', title: 'q', on: { match: { rule: 'quick' }, minSeverity: 'low', requires: [] }, uses: {} };

function asking(over: Partial<AnyPlaybook> = {}): EnvelopeAsking {
  const registered = [action(world, 'quarantine', 'reversible', { contains: true }), action(world, 'remove', 'destructive')];
  const { playbooks, groups } = askingWith(registered, over);
  const [p] = playbooks;
  if (!p) throw new Error('no playbook');
  const lax: AnyPlaybook = { ...quick, uses: p.uses, levels: [{ group: 'leads', within: '1h' }] };
  const tickets: AnyPlaybook = { ...quick, id: 't', uses: {}, levels: [{ group: 'oncall', within: '1h' }] };
  return { playbooks: [p, lax, tickets], groups };
}

const removal = planOf('remove', 'destructive', { pod });
const of = (people: readonly string[], over: Partial<Question>, plans: readonly Plan[] = [removal]): ApprovalProof =>
  approvalOf(plans, { people, question: over });
const leads = [{ group: 'leads', withinMs: 1 }];
const everybody = [{ group: 'oncall', withinMs: 1 }, ...leads];

describe('an approval of something destructive', () => {
  const apply = async (approval: ApprovalProof, over: Partial<StepCall> = {}, playbook: Partial<AnyPlaybook> = {}) => {
    setUp();
    setUp({ asking: () => asking(playbook) });
    return refusal(chokepoint.apply(callOf('remove', { approval, ...over }), context));
  };

  test.each<[string, ApprovalProof, Partial<StepCall>]>([
    ['somebody in a group that its playbook never asks', of(['lea'], { levels: leads }), {}],
    ['the same, on a question that asks both', of(['lea'], { levels: everybody }), {}],
    ['those whom another playbook asks', of(['lea'], { levels: leads, requester: 'playbook/q' }), {}],
    ['those whom a playbook asks that does not use the action', of(['ana'], { requester: 'playbook/t' }), { playbook: 't' }],
    ['an unknown playbook', of(['ana'], { requester: 'playbook/none' }), { playbook: 'none' }],
    ['a person', of(['ana'], { requester: 'person/ben' }), {}],
    ['the engine, which never asks about what ends something', of(['ana', 'ben'], { requester: 'engine' }), {}],
  ])('does not count, asked by or answered by: %s', async (_what, approval, over) => {
    expect(await apply(approval, over)).toBe(refused);
    expect(world.applied).toEqual([]);
  });

  test('must come from those whom its playbook asks, or if it names nobody, from those who decide on incidents', async () => {
    expect(await apply(of(['ana'], {}))).toBeUndefined();
    const { levels: _, ...unnamed } = asking().playbooks[0] ?? quick;
    setUp({ asking: () => ({ playbooks: [unnamed], groups: ['oncall'] }) });
    expect(await refusal(chokepoint.apply(callOf('remove', { approval: of(['ana'], {}) }), context))).toBeUndefined();
    expect(await refusal(chokepoint.apply(callOf('remove', { approval: of(['lea'], { levels: leads }) }), context))).toBe(
      refused,
    );
  });
});

/** What the cell has heard about the incident in these alerts. */
function heard(batch: Partial<AlertBatch>, playbooks: readonly AnyPlaybook[] = []): IncidentMemory {
  const incidents = heardSince(Date.parse('2026-05-01T00:00:00Z'));
  incidents.hears(incident.id, { ...batchOf([alertOf({ severity: 'low' })]), ...batch }, playbooks);
  incidents.delivered(incident.id, incident.run);
  return incidents;
}

describe('what the cell itself has heard', () => {
  const release = (): UndoReason => {
    const plan = undoPlan(callOf('quarantine'));
    return { kind: 'approved', plan, proof: approvalOf([plan], { people: ['ana'], question: { severity: 'low' } }) };
  };
  const low = callOf('quarantine', { severity: 'low' });

  test.each<[string, Parameters<typeof setUp>[0], Severity, string | undefined]>([
    ['nothing worse', {}, 'low', undefined],
    ['a critical alert', { incidents: heard({ counts: batchOf([alertOf()]).counts }) }, 'low', refused],
    ['a note that says critical', {}, 'critical', refused],
  ])('can require two people, whatever the call and question say: %s', async (_what, over, noted, code) => {
    setUp(over);
    world.noted = [noteOf({ ...low, severity: noted })];
    expect(await refusal(chokepoint.undo({ call: low, reason: release() }, context))).toBe(code);
  });

  test('requires two people for a playbook that answers only critical alerts', async () => {
    setUp();
    setUp({ asking: () => asking({ on: { match: { rule: 'none' }, minSeverity: 'critical', requires: [] } }) });
    world.noted = [noteOf(low)];
    expect(await refusal(chokepoint.undo({ call: low, reason: release() }, context))).toBe(refused);
  });

  test('limits approvals to playbooks that an alert called for', async () => {
    setUp();
    const { playbooks } = asking();
    const approval = of(['lea'], { levels: leads, requester: 'playbook/q' });
    for (const [rule, code] of [
      ['other', refused],
      ['quick', undefined],
    ] as const) {
      const called = alertOf({ rule, severity: 'low' });
      const known = heard({ alerts: [called] }, [
        ...playbooks.slice(1),
        { ...quick, id: 'o', uses: {}, on: { ...quick.on, match: { rule: 'other' } } },
      ]);
      setUp({ asking: () => asking(), incidents: known });
      expect(await refusal(chokepoint.apply(callOf('remove', { approval, playbook: 'q' }), context))).toBe(code);
    }
  });

  test.each<[string, Partial<AlertBatch>, string | undefined]>([
    ['nobody', {}, undefined],
    ['somebody else', { actors: ['lea'] }, undefined],
    ['the voter', { actors: ['ana'] }, refused],
    ['the voter, in one alert of thousands', { alerts: [alertOf({ actors: ['ana'] })] }, refused],
    ['the voter, as the one who ordered it', { requesters: ['ana'] }, refused],
  ])('stops people named in an alert from deciding, at the click and before the step: %s', async (_what, batch, code) => {
    const incidents = heard(batch);
    setUp({ incidents });
    const proof = of(['ana'], {});
    expect(await refusal(chokepoint.apply(callOf('remove', { approval: proof }), context))).toBe(code);
    const [vote] = proof.votes;
    expect(vote && (await clicked(vote, proof.question, incidents))).toBe(code === undefined);
  });

  test('applies to one run of the incident if the cell started it, otherwise to all runs of its workload', () => {
    let clock = now;
    const incidents = new IncidentMemory({ now: () => clock });
    const tell = (batch: AlertBatch, run?: string): void => {
      incidents.hears(incident.id, batch, []);
      incidents.delivered(incident.id, run);
      clock += 60_000;
    };
    tell({ ...batchOf([alertOf()]), actors: ['ana'] }, 'run-1');
    tell({ ...batchOf([alertOf({ severity: 'low' })]), actors: ['ben'] }, 'run-2');
    tell({ ...batchOf([alertOf({ severity: 'low', n: 2 })]), actors: ['lea'] });
    const known = (run: string) => incidents.of({ id: incident.id, run });
    expect(known('run-1')).toMatchObject({ severity: 'critical', actors: ['ana', 'ben', 'lea'] });
    expect(known('run-2')).toMatchObject({ severity: 'low', actors: ['ben', 'lea'] });
    expect(known('made up')).toMatchObject({ severity: 'critical', actors: ['ana', 'ben', 'lea'] });
    expect(incidents.of({ id: 'incident/lab/shop/Deployment/other', run: 'run-1' }).actors).toEqual([]);
  });
});

/** The check of a vote on arrival, in a cell that knows this. */
async function clicked(vote: SignedVote, question: Question, incidents: IncidentMemory, people: Roster = roster) {
  const cell = createCellActivities({
    chokepoint,
    roster: people,
    keys: voteKeys,
    asking: () => askingWith([]),
    incidents,
    votes: new VoteMemory(),
    log: { info: () => undefined, warn: () => undefined },
  });
  const at = new Date().toISOString();
  const fresh = signVote({ ...vote.vote, at });
  return (await cell.verifyVote({ vote: fresh, question, level: 0 })).ok;
}
