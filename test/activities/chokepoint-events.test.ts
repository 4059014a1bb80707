import { beforeEach, describe, expect, test } from '@jest/globals';
import { createCellActivities } from '../../activities/chokepoint/cell.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import { releasePlanOf } from '../../core/action/release-plan.ts';
import { quarantinePod } from '../../core/actions/index.ts';
import type { StepOutcome } from '../../core/cluster/object-event.ts';
import type { Question } from '../../core/decide/approval.ts';
import { roster, voteKeys } from '../workflows/people.ts';
import {
  approvalOf,
  askingWith,
  callOf,
  chokepoint,
  context,
  incident,
  planOf,
  pod,
  refusal,
  setUp,
} from './chokepoint-fixture.ts';

describe('owners of affected objects are notified', () => {
  let told: StepOutcome[];
  beforeEach(() => {
    told = [];
    setUp({ tell: (outcome) => told.push(outcome) });
  });

  test('when a step is done, with its objects and terms; under the same key if repeated', async () => {
    const call = callOf('quarantine', { lease: { durationMs: 60_000, onExpiry: 'release' } });
    await chokepoint.apply(call, context);
    await chokepoint.apply(call, context);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({
      action: { name: 'quarantine' },
      outcome: 'done',
      incident: incident.id,
      key: call.key,
      objects: [{ name: 'pod/shop/cart-1', uid: 'uid-1' }, { name: 'pod/shop/cart-1' }],
      playbook: 'p',
      // Silence never releases a critical alert, whatever the call says.
      terms: { severity: 'critical', lease: { durationMs: 60_000, onExpiry: 'renew' } },
    });
    expect(told[1]?.key).toBe(told[0]?.key);
  });

  test('when it is undone, based on the sealed note', async () => {
    const call = callOf('quarantine');
    await chokepoint.undo({ call, reason: { kind: 'step-failed' } }, context);
    expect(told).toEqual([
      expect.objectContaining({ outcome: 'undone', objects: [{ name: 'pod/shop/cart-1', uid: 'uid-1' }], byPeople: false }),
    ]);
  });

  test('but not about a plan or a refused step', async () => {
    await chokepoint.plan(callOf('quarantine'), context);
    expect(await refusal(chokepoint.apply(callOf('remove'), context))).toBeDefined();
    expect(told).toEqual([]);
  });

  test('when people extend a lease, once per answer, and when they make it permanent', async () => {
    const release = { ...releasePlanOf({ ...planOf('quarantinePod', 'reversible', { pod }) }, 'k'), blastRadius: [] };
    const question: Partial<Question> = {
      id: 'lease:0123456789abcdef-l',
      choices: [
        { id: 'extend', label: 'Extend', plans: [], quorum: 1 },
        { id: 'keep', label: 'Keep', plans: [], quorum: 1 },
        { id: 'release', label: 'Release', plans: [release], quorum: 2 },
      ],
    };
    const activities = createCellActivities({
      chokepoint,
      roster,
      keys: voteKeys,
      asking: () => askingWith([]),
      incidents: new IncidentMemory(),
      votes: new VoteMemory(),
      tell: (outcome) => told.push(outcome),
      log: { info: () => {}, warn: () => {} },
    });
    const answer = async (choice: string) => {
      const { question: asked, votes } = approvalOf([], { question: { ...question, text: choice }, choice });
      for (const vote of votes)
        expect(await activities.verifyVote({ vote, question: asked, level: 0 })).toMatchObject({ ok: true });
    };
    await answer('extend');
    expect(told).toMatchObject([
      { action: quarantinePod, outcome: 'extended', objects: [{ name: 'pod/shop/cart-1', uid: 'uid-1' }] },
    ]);
    await answer('keep');
    expect(told.map(({ outcome }) => outcome)).toEqual(['extended', 'permanent']);
  });
});
