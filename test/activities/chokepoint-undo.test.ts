import { beforeEach, describe, expect, test } from '@jest/globals';
import type { ApprovalProof } from '../../core/approval.ts';
import type { StepCall, UndoReason } from '../../core/step.ts';
import type { Taken } from '../../core/taken.ts';
import { strangerKey } from '../workflows/harness.ts';
import {
  approvalOf,
  callOf,
  chokepoint,
  context,
  incident,
  now,
  planOf,
  pod,
  refusal,
  setUp,
  undoPlan,
  world,
} from './chokepoint-fixture.ts';

beforeEach(() => setUp());

describe('a step that was cut short in the middle', () => {
  const approval = approvalOf([planOf('remove', 'destructive', { pod })]);

  test('goes on under the plan that was approved, although what is left looks different', async () => {
    world.started = true;
    world.note = 'half of it is done';
    expect((await chokepoint.apply(callOf('remove', { approval }), context)).plan).toEqual(
      planOf('remove', 'destructive', { pod }),
    );
    world.gone = true;
    await chokepoint.apply(callOf('remove', { approval }), context);
    expect(world.applied).toHaveLength(2);
  });

  test('is refused when it had not begun and the plan has changed', async () => {
    world.note = 'something else now';
    expect(await refusal(chokepoint.apply(callOf('remove', { approval }), context))).toBe('FB_ERR_PLAN_CHANGED');
    expect(world.applied).toEqual([]);
  });

  test('goes nowhere without an approval, begun or not', async () => {
    world.started = true;
    world.gone = true;
    expect(await refusal(chokepoint.apply(callOf('remove'), context))).toBe('FB_ERR_TARGET_REPLACED');
    const forged = approvalOf([planOf('remove', 'destructive', { pod })], { key: strangerKey });
    expect(await refusal(chokepoint.apply(callOf('remove', { approval: forged }), context))).toBe('FB_ERR_APPROVAL_INVALID');
  });
});

describe('giving back', () => {
  const call = callOf('quarantine');
  const plan = undoPlan(call);
  const approved = (proof: ApprovalProof, which = plan): UndoReason => ({ kind: 'approved', proof, plan: which });
  const other = callOf('quarantine', { key: 'another step' });

  test.each<[string, UndoReason]>([
    ['the approval of another step’s release', approved(approvalOf([undoPlan(other)]), undoPlan(other))],
    ['a plan that nobody approved', approved(approvalOf([undoPlan(other)]))],
    ['one person only, on critical', approved(approvalOf([plan], { people: ['ana'] }))],
    ['the same person twice', approved(approvalOf([plan], { people: ['ana', 'ana'] }))],
    ['a stranger’s signatures', approved(approvalOf([plan], { key: strangerKey }))],
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

  test.each<[string, Taken, StepCall, UndoReason, string | undefined]>([
    [
      'silence, which claims to be low',
      { severity: 'critical', at: minutesAgo(1) },
      low,
      { kind: 'lease-ended', verdict: 'unknown', severity: 'low' },
      'FB_ERR_APPROVAL_INVALID',
    ],
    [
      'one person, by a question that says low',
      { severity: 'critical', at: minutesAgo(1) },
      low,
      oneOfLow,
      'FB_ERR_APPROVAL_INVALID',
    ],
    [
      'two people, whatever it says now',
      { severity: 'critical', at: minutesAgo(1) },
      low,
      approved(approvalOf([plan])),
      undefined,
    ],
    ['one person', { severity: 'high', at: minutesAgo(1) }, low, oneOfLow, undefined],
    [
      'a failure that is said late',
      { severity: 'low', at: minutesAgo(16) },
      call,
      { kind: 'step-failed' },
      'FB_ERR_APPROVAL_INVALID',
    ],
    ['a failure', { severity: 'critical', at: minutesAgo(14) }, call, { kind: 'step-failed' }, undefined],
  ])('what the note says of its taking holds against the workflow: %s', async (_what, taken, which, reason, code) => {
    world.noted = taken;
    expect(await refusal(chokepoint.undo({ call: which, reason }, context))).toBe(code);
    expect(world.done).toEqual(code === undefined ? ['undo quarantine'] : []);
  });

  test.each<[string, StepCall, UndoReason]>([
    ['two people on critical', call, approved(approvalOf([plan]))],
    [
      'a harmless lease’s end, with their votes',
      call,
      { kind: 'lease-ended', verdict: 'benign', severity: 'critical', proof: approvalOf([plan]) },
    ],
    ['a lease’s end below critical', { ...call, severity: 'low' }, { kind: 'lease-ended', verdict: 'unknown', severity: 'low' }],
    [
      'one person below critical',
      { ...call, severity: 'low' },
      approved(approvalOf([plan], { people: ['ana'], question: { severity: 'low' } })),
    ],
    ['a step that did not come about', call, { kind: 'step-failed' }],
  ])('is done with %s', async (_what, which, reason) => {
    await chokepoint.undo({ call: which, reason }, context);
    expect(world.done).toEqual(['undo quarantine']);
  });

  test('is not done as “failed” for a step that came about here', async () => {
    await chokepoint.apply(call, context);
    expect(await refusal(chokepoint.undo({ call, reason: { kind: 'step-failed' } }, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(world.done).not.toContain('undo quarantine');
  });

  test('is refused where there is no undo', async () => {
    expect(await refusal(chokepoint.undo({ call: callOf('remove'), reason: { kind: 'step-failed' } }, context))).toBe(
      'FB_ERR_REFUSED',
    );
  });
});
