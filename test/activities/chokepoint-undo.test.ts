import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { StepsOfCells } from '../../activities/chokepoint/parts.ts';
import { LandedSteps } from '../../activities/memory/landed-steps.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall, UndoReason } from '../../core/action/step.ts';
import type { Severity } from '../../core/alert/severity.ts';
import { type ApprovalProof, type Question, questionDigest, type SignedVote } from '../../core/decide/approval.ts';
import type { ReleasedObject } from '../../core/incident/hold.ts';
import { digestOf } from '../../core/text/digest.ts';
import { DurableMemory } from '../../service/cell/pools/durable-memory.ts';
import { outsiderKey } from '../workflows/people.ts';
import {
  approvalOf,
  askingWith,
  callOf,
  chokepoint,
  context,
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

beforeEach(() => setUp());

describe('a step that was interrupted', () => {
  const approval = approvalOf([planOf('remove', 'destructive', { pod })]);

  test('continues under the approved plan, although what is left looks different', async () => {
    world.started = true;
    world.note = 'half of it is done';
    expect((await chokepoint.apply(callOf('remove', { approval }), context)).plan).toEqual(
      planOf('remove', 'destructive', { pod }),
    );
    world.gone = true;
    const other = approvalOf([planOf('remove', 'destructive', { pod })], { question: { text: 'once more?' } });
    await chokepoint.apply(callOf('remove', { approval: other }), context);
    expect(world.applied).toHaveLength(2);
  });

  test('is refused when it had not begun and the plan has changed', async () => {
    world.note = 'something else now';
    expect(await refusal(chokepoint.apply(callOf('remove', { approval }), context))).toBe('FB_ERR_PLAN_CHANGED');
    expect(world.applied).toEqual([]);
  });

  test('does not continue without an approval, begun or not', async () => {
    world.started = true;
    world.gone = true;
    expect(await refusal(chokepoint.apply(callOf('remove'), context))).toBe('FB_ERR_TARGET_REPLACED');
    const forged = approvalOf([planOf('remove', 'destructive', { pod })], { key: outsiderKey });
    expect(await refusal(chokepoint.apply(callOf('remove', { approval: forged }), context))).toBe('FB_ERR_APPROVAL_INVALID');
  });
});

test('an approved step is done once for its votes, even if its call is replayed, and again only for new votes', async () => {
  const approval = approvalOf([planOf('remove', 'destructive', { pod })]);
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-memory-'));
  const open = () => new DurableMemory(folder, console);
  const first = open();
  setUp({ landed: new LandedSteps({ approved: first.keeper('approved') }) });
  const done = await chokepoint.apply(callOf('remove', { approval }), context);
  await first.close();
  const second = open();
  setUp({ landed: new LandedSteps({ approved: second.keeper('approved') }) });
  // What it left on its object is still there, so it would continue.
  world.started = true;
  world.note = 'others are there by now';
  expect(await chokepoint.apply(callOf('remove', { approval }), context)).toEqual(done);
  expect(world.applied).toEqual([]);
  const anew = approvalOf([planOf('remove', 'destructive', { pod })], { question: { text: 'once more?' } });
  await chokepoint.apply(callOf('remove', { approval: anew }), context);
  expect(world.applied).toHaveLength(1);
  await second.close();
  rmSync(folder, { recursive: true });
});

describe('an approved step in another cell of the cluster', () => {
  const approval = approvalOf([planOf('remove', 'destructive', { pod })]);
  const call = callOf('remove', { approval });
  const done = new Map<string, unknown>();
  const stepsOfCells: StepsOfCells = {
    doneBefore: async (of, step) => (done.has(`${of} ${step}`) ? { output: done.get(`${of} ${step}`) } : undefined),
    done: async (of, step, output) => void done.set(`${of} ${step}`, output),
  };
  beforeEach(() => done.clear());

  test('is not repeated, whatever that cell remembers: it returns the first result, even after a crash before the answer', async () => {
    setUp({ stepsOfCells });
    const first = await chokepoint.apply(call, context);
    expect(world.applied).toHaveLength(1);
    setUp({ stepsOfCells });
    // An object that is gone cannot be planned again.
    world.gone = true;
    world.started = true;
    expect(await chokepoint.apply(call, context)).toEqual(first);
    expect(world.applied).toEqual([]);
    world.gone = false;
    world.started = false;
    await chokepoint.apply(
      callOf('remove', {
        approval: approvalOf([planOf('remove', 'destructive', { pod })], { question: { text: 'once more?' } }),
      }),
      context,
    );
    expect(world.applied).toHaveLength(1);
  });

  test('is refused if its result is unknown, and the error says where to look', async () => {
    setUp({ stepsOfCells: { ...stepsOfCells, doneBefore: async () => ({}) } });
    const refused = chokepoint.apply(call, context);
    await expect(refused).rejects.toMatchObject({ code: 'FB_ERR_REFUSED', detail: expect.stringContaining('pod/shop/cart-1') });
    expect(world.applied).toEqual([]);
  });

  test('counts as done only while its object shows it, if it can be undone: the other cell may have undone it', async () => {
    const held = callOf('quarantine', { approval: approvalOf([planOf('quarantine', 'reversible', { pod })]) });
    setUp({ stepsOfCells });
    const first = await chokepoint.apply(held, context);
    setUp({ stepsOfCells });
    expect(await refusal(chokepoint.apply(held, context))).toBe('FB_ERR_REFUSED');
    world.started = true;
    expect(await chokepoint.apply(held, context)).toEqual(first);
    expect(world.applied).toEqual([]);
  });

  test('is reported to the others again by the cell that did it, whenever it is repeated', async () => {
    const landed = new LandedSteps();
    setUp({ stepsOfCells, landed });
    await chokepoint.apply(call, context);
    done.clear();
    setUp({ stepsOfCells, landed });
    await chokepoint.apply(call, context);
    expect(world.applied).toEqual([]);
    expect([...done.values()]).toEqual([{ name: 'remove' }]);
  });
});

describe('undoing a step', () => {
  const call = callOf('quarantine');
  const plan = undoPlan(call);
  const approved = (proof: ApprovalProof, which = plan): UndoReason => ({ kind: 'approved', proof, plan: which });
  const other = callOf('quarantine', { key: 'another step' });

  test.each<[string, UndoReason]>([
    ['the approval of another step’s release', approved(approvalOf([undoPlan(other)]), undoPlan(other))],
    ['a plan that nobody approved', approved(approvalOf([undoPlan(other)]))],
    ['one person only, on critical', approved(approvalOf([plan], { people: ['ana'] }))],
    ['the same person twice', approved(approvalOf([plan], { people: ['ana', 'ana'] }))],
    ['a stranger’s signatures', approved(approvalOf([plan], { key: outsiderKey }))],
    ['the approval of another run', approved(approvalOf([plan], { question: { incident: { ...incident, run: 'run-2' } } }))],
    ['an approval of the step itself', approved(approvalOf([planOf('quarantine', 'reversible', { pod })]))],
    ['silence', { kind: 'lease-ended', verdict: 'unknown', severity: 'critical' }],
    ['silence that claims to be low', { kind: 'lease-ended', verdict: 'unknown', severity: 'low' }],
    ['the workflow’s own word that it was harmless', { kind: 'lease-ended', verdict: 'benign', severity: 'critical' }],
    [
      'an answer about something else',
      {
        kind: 'lease-ended',
        verdict: 'benign',
        severity: 'critical',
        proof: approvalOf([planOf('remove', 'destructive', { pod })]),
      },
    ],
  ])('is refused with %s', async (_what, reason) => {
    expect(await refusal(chokepoint.undo({ call, reason }, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(world.done).toEqual([]);
  });

  const low: StepCall = { ...call, severity: 'low' };
  const oneOfLow = approved(approvalOf([plan], { people: ['ana'], question: { severity: 'low' } }));
  const minutesAgo = (minutes: number): string => new Date(now - minutes * 60_000).toISOString();
  const silence: UndoReason = { kind: 'lease-ended', verdict: 'unknown', severity: 'low' };
  const failed: UndoReason = { kind: 'step-failed' };
  const harmless = (people: readonly string[], severity: Severity = 'low'): UndoReason => {
    const choices = [{ id: 'yes', label: 'Harmless', plans: [], harmless: true as const, quorum: 1 }];
    return {
      kind: 'lease-ended',
      verdict: 'benign',
      severity,
      proof: approvalOf([], { people, question: { severity, choices } }),
    };
  };
  const refused = 'FB_ERR_APPROVAL_INVALID';

  test.each<[string, ReleasedObject, StepCall, UndoReason, string | undefined]>([
    ['silence that claims low, on something critical', noteOf(call), low, silence, refused],
    ['one person, on a question that says low', noteOf(call), low, oneOfLow, refused],
    ['two people, whatever the call says now', noteOf(call), low, approved(approvalOf([plan])), undefined],
    ['one person, on something high', noteOf({ ...call, severity: 'high' }), low, oneOfLow, undefined],
    ['a failure reported late', noteOf(low, { at: minutesAgo(16) }), call, failed, refused],
    ['a failure', noteOf(call, { at: minutesAgo(14) }), call, failed, undefined],
    ['a failure of a step, while another one holds the pod', noteOf(other), call, failed, refused],
    ['a failure of a step, under another key', noteOf(call), other, failed, refused],
    ['silence, when the lease is over', noteOf(low), low, silence, undefined],
    ['silence, before it is over', noteOf(low, { lease: { durationMs: 600_000, onExpiry: 'release' } }), low, silence, refused],
    ['silence, which renews', noteOf(low, { lease: { durationMs: 30_000, onExpiry: 'renew' } }), low, silence, refused],
    ['silence about a known attack', noteOf(low), low, { ...silence, verdict: 'true_positive' }, refused],
    [
      'silence at an unknown severity',
      noteOf({ ...call, severity: 'unknown' }),
      { ...call, severity: 'unknown' },
      silence,
      refused,
    ],
    [
      'the workflow’s own word that it was harmless',
      noteOf(low, { lease: { durationMs: 30_000, onExpiry: 'renew' } }),
      low,
      { ...silence, verdict: 'benign' },
      refused,
    ],
    [
      'a person’s word that it is harmless',
      noteOf(low, { lease: { durationMs: 30_000, onExpiry: 'renew' } }),
      low,
      harmless(['ana']),
      undefined,
    ],
    [
      'the same before it is over',
      noteOf(low, { lease: { durationMs: 600_000, onExpiry: 'renew' } }),
      low,
      harmless(['ana']),
      refused,
    ],
    ['two people’s word that it is harmless, on critical', noteOf(call), call, harmless(['ana', 'ben'], 'critical'), refused],
    [
      'two people, while another incident holds it',
      { ...noteOf(call), incident: 'incident/other' },
      call,
      approved(approvalOf([plan])),
      refused,
    ],
    ['two people, about another pod', { ...noteOf(call), uid: 'uid-2' }, call, approved(approvalOf([plan])), refused],
    [
      'two people, about something that they were not shown',
      { ...noteOf(call), object: 'node/n1' },
      call,
      approved(approvalOf([plan])),
      refused,
    ],
    [
      'two people, about something with a wider reach',
      noteOf(call, { reach: 'cluster' }),
      call,
      approved(approvalOf([plan])),
      refused,
    ],
  ])('follows the note and the cell’s clock, not the workflow: %s', async (_what, note, which, reason, code) => {
    world.noted = [note];
    expect(await refusal(chokepoint.undo({ call: which, reason }, context))).toBe(code);
    expect(world.done).toEqual(code === undefined ? ['undo quarantine'] : []);
  });

  describe('of something that another step of the incident has since taken', () => {
    const since = callOf('quarantine', { key: 'a later step' });
    const word = approved(approvalOf([plan]));
    const seconds = (ago: number): string => new Date(now - ago * 1_000).toISOString();
    /** The cell heard them a minute ago. */
    const heard = (...reasons: readonly UndoReason[]): VoteMemory => {
      const votes = new VoteMemory();
      for (const reason of reasons) {
        const { question, votes: cast } = 'proof' in reason && reason.proof ? reason.proof : approvalOf([]);
        for (const one of cast) votes.note(question, one, { at: now - 60_000, level: 0, asked: 0, actors: [] });
      }
      return votes;
    };

    test('is not done by a replay of the same call', async () => {
      setUp({ votes: heard(word) });
      await chokepoint.undo({ call, reason: word }, context);
      world.done.length = 0;
      world.noted = [noteOf(since)];
      expect(await refusal(chokepoint.undo({ call, reason: word }, context))).toBe(refused);
      expect(world.done).toEqual([]);
    });

    const over = { durationMs: 1_000, onExpiry: 'renew' } as const;

    test.each<[string, StepCall, UndoReason]>([
      ['two people’s word about its release', call, word],
      ['a person’s word that it is harmless', low, harmless(['ana'])],
    ])('is not done by %s, given earlier, whichever cell undid the earlier step', async (_what, which, reason) => {
      for (const [ago, code] of [
        [90, undefined],
        [30, refused],
      ] as const) {
        setUp({ votes: heard(reason) });
        world.noted = [noteOf({ ...which, key: since.key }, { lease: over, at: seconds(ago) })];
        expect(await refusal(chokepoint.undo({ call: which, reason }, context))).toBe(code);
        expect(world.done).toEqual(code === undefined ? ['undo quarantine'] : []);
      }
    });
  });

  describe('because a later part of its saga failed', () => {
    const high: StepCall = { ...call, severity: 'high' };
    const saga: UndoReason = { kind: 'saga-failed' };
    const lease = { durationMs: 14_400_000, onExpiry: 'renew', saga: true } as const;
    const withSaga = { asking: () => askingWith([], { sagaUndo: 'below-critical' }) };
    const at = minutesAgo(10);

    test.each<[string, ReleasedObject, StepCall, string | undefined]>([
      ['a part of a saga, below critical', noteOf(high, { lease, at }), high, undefined],
      ['what was not part of one', noteOf(high, { at }), high, refused],
      ['what was taken at critical, whatever the call says now', noteOf(call, { lease, at }), high, refused],
      ['what is critical now', noteOf(high, { lease, at }), call, refused],
      [
        'what has an unknown severity',
        noteOf({ ...call, severity: 'unknown' }, { lease, at }),
        { ...call, severity: 'unknown' },
        refused,
      ],
      ['what has been held for a long time', noteOf(high, { lease, at: minutesAgo(61) }), high, refused],
      ['what another step holds', noteOf({ ...other, severity: 'high' }, { lease, at }), high, refused],
      ['what another incident holds', { ...noteOf(high, { lease, at }), incident: 'incident/other' }, high, refused],
    ])('%s: its note and the cell decide, not the call', async (_what, note, which, code) => {
      setUp(withSaga);
      world.noted = [note];
      expect(await refusal(chokepoint.undo({ call: which, reason: saga }, context))).toBe(code);
      expect(world.done).toEqual(code === undefined ? ['undo quarantine'] : []);
    });

    test('is refused if its playbook’s envelope does not allow it, or the playbook is unknown', async () => {
      world.noted = [noteOf(high, { lease, at })];
      expect(await refusal(chokepoint.undo({ call: high, reason: saga }, context))).toBe(refused);
      setUp(withSaga);
      world.noted = [noteOf(high, { lease, at })];
      expect(await refusal(chokepoint.undo({ call: { ...high, playbook: 'q' }, reason: saga }, context))).toBe(refused);
      expect(world.done).toEqual([]);
    });

    test('is refused if no note says who took it', async () => {
      setUp(withSaga);
      world.noted = [];
      expect(await refusal(chokepoint.undo({ call: high, reason: saga }, context))).toBe(refused);
    });
  });

  test.each<[string, (plan: Plan) => Plan]>([
    ['does not weaken', ({ weakens: _, ...rest }) => rest],
    [
      'is for another pod’s step',
      (one) => ({ ...one, inputDigest: digestOf({ key: call.key, input: digestOf({ pod: { ...pod, uid: 'uid-2' } }) }) }),
    ],
    ['says something else', (one) => ({ ...one, changes: [{ target: one.target.name, what: 'tidies up' }] })],
    ['only reads', (one) => ({ ...one, effect: 'read' })],
  ])('uses the cell’s own plan, so that an approval of a false one is worthless: one that %s', async (_what, lie) => {
    const lying = lie(plan);
    for (const people of [['ana'], ['ana', 'ben']]) {
      const reason = approved(approvalOf([lying], { people }), lying);
      expect(await refusal(chokepoint.undo({ call, reason }, context))).toBe(refused);
    }
    expect(world.done).toEqual([]);
  });

  test('of one pod, once approved, does not release another pod of the incident under its key', async () => {
    const other = { ...pod, name: 'cart-2', uid: 'uid-2' };
    world.noted = [{ ...noteOf(call), object: 'pod/shop/cart-2', uid: 'uid-2' }];
    const reason = approved(approvalOf([plan]));
    expect(await refusal(chokepoint.undo({ call: { ...call, input: { pod: other } }, reason }, context))).toBe(refused);
    expect(world.done).toEqual([]);
  });

  test.each<[string, StepCall, UndoReason]>([
    ['two people on critical', call, approved(approvalOf([plan]))],
    [
      'the end of a harmless lease, with their votes',
      call,
      { kind: 'lease-ended', verdict: 'benign', severity: 'critical', proof: approvalOf([plan]) },
    ],
    ['a step that was never done', call, failed],
  ])('is done with %s', async (_what, which, reason) => {
    await chokepoint.undo({ call: which, reason }, context);
    expect(world.done).toEqual(['undo quarantine']);
  });

  test('is not done as “failed” for a step that was done here', async () => {
    await chokepoint.apply(call, context);
    expect(await refusal(chokepoint.undo({ call, reason: { kind: 'step-failed' } }, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(world.done).not.toContain('undo quarantine');
  });

  test('is not done as “failed” after a restart, or if the memory of the step was lost or evicted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-memory-'));
    const failedAfter = async (use: LandedSteps): Promise<string | undefined> => {
      setUp({ landed: use });
      return refusal(chokepoint.undo({ call, reason: failed }, context));
    };
    const heldAt = Date.parse(noteOf(call).terms.at);
    const first = new DurableMemory(join(folder, 'kept'), console);
    // It reaches back further than the note.
    first.keeper<true>('landed').keepSince(heldAt - 1);
    setUp({ landed: new LandedSteps({ landed: first.keeper('landed') }) });
    await chokepoint.apply(call, context);
    await first.close();
    const second = new DurableMemory(join(folder, 'kept'), console);
    expect(await failedAfter(new LandedSteps({ landed: second.keeper('landed') }))).toBe(refused);
    await second.close();
    const lost = new DurableMemory(join(folder, 'lost'), console);
    expect(await failedAfter(new LandedSteps({ landed: lost.keeper('landed') }))).toBe(refused);
    await lost.close();
    const flooded = new LandedSteps();
    for (let n = 0; n <= 10_000; n += 1) flooded.note(`step ${n}`, heldAt + n);
    expect(await failedAfter(flooded)).toBe(refused);
    rmSync(folder, { recursive: true });
  });

  describe('when its lease ends', () => {
    const standingChoicesOf = (release: Plan) => [
      { id: 'extend', label: 'Extend it', plans: [], quorum: 1 },
      { id: 'keep', label: 'Keep it for good', plans: [], quorum: 1 },
      { id: 'release', label: '', plans: [release], quorum: 1 },
    ];
    const standing = (choice: string, over: Partial<Question> = {}): { question: Question; signed: SignedVote } => {
      const asked = { id: 'lease:0123456789abcdef-l', severity: 'low', requester: 'engine' } as const;
      const { question, votes } = approvalOf([], {
        people: ['ana'],
        question: { ...asked, choices: standingChoicesOf(plan), ...over },
      });
      const [vote] = votes;
      if (!vote) throw new Error('no vote');
      return { question, signed: { ...vote, vote: { ...vote.vote, choice, questionDigest: questionDigest(question) } } };
    };
    const answered = (memory: VoteMemory, choice: string, minutes: number, over: Partial<Question> = {}): void => {
      const { question, signed } = standing(choice, over);
      memory.note(question, signed, { at: now - minutes * 60_000, level: 0, asked: 0, actors: [] });
    };
    /** Taken a quarter of an hour ago, for five minutes each time. */
    const endedAfter = async (votes: VoteMemory, reason: UndoReason = silence): Promise<string | undefined> => {
      setUp({ votes });
      world.noted = [noteOf(low, { at: minutesAgo(15), lease: { durationMs: 300_000, onExpiry: 'release' } })];
      return refusal(chokepoint.undo({ call: low, reason }, context));
    };

    test.each<[string, (memory: VoteMemory) => void, string | undefined]>([
      ['nobody has said anything', () => undefined, undefined],
      ['people keep it for good', (memory) => answered(memory, 'keep', 12), refused],
      ['people have extended it', (memory) => answered(memory, 'extend', 2), refused],
      [
        'they have extended it twice',
        (memory) => {
          answered(memory, 'extend', 14);
          answered(memory, 'extend', 13, { text: 'asked anew' });
        },
        undefined,
      ],
      [
        'they have extended it three times',
        (memory) => {
          for (const text of ['one', 'two', 'three']) answered(memory, 'extend', 14, { text });
        },
        refused,
      ],
      [
        'the same answer came twice',
        (memory) => {
          for (const at of [14, 13, 12]) answered(memory, 'extend', at);
        },
        undefined,
      ],
      [
        'they keep another step’s',
        (memory) => answered(memory, 'keep', 12, { choices: standingChoicesOf(undoPlan(other)) }),
        undefined,
      ],
      [
        'they answered a question that does more than it says',
        (memory) => answered(memory, 'keep', 12, { choices: [] }),
        undefined,
      ],
    ])('follows the answers, not the workflow, if %s', async (_what, said, outcome) => {
      const votes = new VoteMemory();
      said(votes);
      expect(await endedAfter(votes)).toBe(outcome);
    });

    test('does not end what people keep, even if they said that it was harmless', async () => {
      const votes = new VoteMemory();
      answered(votes, 'keep', 12);
      expect(await endedAfter(votes, harmless(['ana']))).toBe(refused);
    });

    test('follows answers from before a restart, and releases nothing by silence if the memory was lost', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'firebreak-leases-'));
      const open = (name: string) => {
        const kept = new DurableMemory(join(folder, name), console);
        return { kept, votes: new VoteMemory({ leases: kept.keeper('leases') }) };
      };
      const first = open('kept');
      first.kept.keeper('leases').keepSince(now - 3_600_000);
      answered(first.votes, 'keep', 12);
      await first.kept.close();
      const second = open('kept');
      expect(await endedAfter(second.votes)).toBe(refused);
      await second.kept.close();
      const lost = open('lost');
      expect(await endedAfter(lost.votes)).toBe(refused);
      await lost.kept.close();
      rmSync(folder, { recursive: true });
    });
  });

  test('is final: a reset incident cannot run the same step again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-memory-'));
    const first = new DurableMemory(join(folder, 'kept'), console);
    setUp({ landed: new LandedSteps({ givenBack: first.keeper('given-back') }) });
    await chokepoint.apply(call, context);
    await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context);
    expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_REFUSED');
    await first.close();
    const second = new DurableMemory(join(folder, 'kept'), console);
    setUp({ landed: new LandedSteps({ givenBack: second.keeper('given-back') }) });
    expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_REFUSED');
    await chokepoint.apply(callOf('quarantine', { key: 'a later step' }), context);
    expect(world.applied).toHaveLength(1);
    await second.close();
    rmSync(folder, { recursive: true });
  });

  test('remembers for each object which step held it by its note, so that nobody has to be asked', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-memory-'));
    const open = () => new DurableMemory(join(folder, 'kept'), console);
    const first = open();
    const landed = new LandedSteps({ released: first.keeper('released') });
    setUp({ landed });
    await chokepoint.apply(call, context);
    world.noted = [{ ...noteOf(call), step: 'the step that took it' }];
    await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context);
    await first.close();
    const second = open();
    const kept = new LandedSteps({ released: second.keeper('released') });
    const [held] = world.noted;
    if (!held) throw new Error('nothing was held');
    expect([kept.wasReleased(held), kept.wasReleased({ ...held, step: call.key })]).toEqual([true, false]);
    expect(kept.wasReleased({ ...held, uid: 'another' })).toBe(false);
    await second.close();
    rmSync(folder, { recursive: true });
  });

  test('is not final if the object had changed: the step may be repeated, and undone later', async () => {
    const landed = new LandedSteps();
    setUp({ landed });
    await chokepoint.apply(call, context);
    world.noted = [noteOf(call)];
    world.drifted = true;
    expect(await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context)).toMatchObject({ state: 'drifted' });
    expect([landed.wasGivenBack(call.key), landed.wasReleased(noteOf(call))]).toEqual([false, false]);
    await chokepoint.apply(call, context);
    expect(world.applied).toHaveLength(2);
    world.drifted = false;
    await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context);
    expect([landed.wasGivenBack(call.key), landed.wasReleased(noteOf(call))]).toEqual([true, true]);
  });

  test('follows what the cell remembers of the step, even after a restart, not what a call says', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-memory-'));
    const open = () => new DurableMemory(join(folder, 'kept'), console);
    const reason = approved(approvalOf([plan]));
    const first = open();
    setUp({ landed: new LandedSteps({ done: first.keeper('done') }) });
    await chokepoint.apply(call, context);
    await first.close();
    const second = open();
    const landed = new LandedSteps({ done: second.keeper('done'), givenBack: second.keeper('given-back') });
    setUp({ landed });
    const elsewhere = { pod: { ...pod, name: 'cart-2', uid: 'uid-2' } };
    const lies: readonly Partial<StepCall>[] = [
      { input: elsewhere },
      { action: 'other' },
      { incident: { ...incident, id: 'incident/lab/shop/Deployment/till' } },
    ];
    for (const lie of lies)
      expect(await refusal(chokepoint.undo({ call: { ...call, ...lie }, reason: failed }, context))).toBe('FB_ERR_REFUSED');
    expect([world.done, landed.wasUndone(call.key)]).toEqual([[], false]);
    world.noted = [noteOf(call)];
    await chokepoint.undo(Object.assign({ call, reason }, { output: { name: 'what the call says' } }), context);
    await chokepoint.undo({ call, reason }, context);
    // Once it is released, there is nothing left to know.
    expect(world.told).toEqual([{ output: { name: 'quarantine' } }, {}]);
    await second.close();
    rmSync(folder, { recursive: true });
  });

  test('reports if the step was done elsewhere, and then trusts only its note', async () => {
    const landed = new LandedSteps();
    setUp({ landed });
    world.noted = [];
    await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context);
    expect(world.told).toEqual([{ isForgotten: true }]);
    // Nothing was found there: a call with another object's name finds nothing either.
    expect([landed.wasGivenBack(call.key), landed.wasUndone(call.key)]).toEqual([true, false]);
    world.noted = [noteOf(call)];
    await chokepoint.undo({ call, reason: approved(approvalOf([plan])) }, context);
    expect(landed.wasUndone(call.key)).toBe(true);
  });

  test('reports the same for a step that supposedly was not done: it may have been, without an answer', async () => {
    world.noted = [noteOf(call)];
    await chokepoint.undo({ call, reason: failed }, context);
    expect(world.told).toEqual([{ isForgotten: true }]);
  });

  test('is refused if the action has no undo', async () => {
    expect(await refusal(chokepoint.undo({ call: callOf('remove'), reason: { kind: 'step-failed' } }, context))).toBe(
      'FB_ERR_REFUSED',
    );
  });
});
