import { beforeEach, describe, expect, test } from '@jest/globals';
import type { StepCall } from '../../core/action/step.ts';
import { waiverOf } from '../../core/action/waiver.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import { outsiderKey } from '../workflows/people.ts';
import {
  approvalOf,
  callOf,
  chokepoint,
  context,
  deadlineAhead,
  deadlinePassed,
  evidenceOf,
  heardSince,
  incident,
  now,
  planOf,
  pod,
  refusal,
  setUp,
  world,
} from './chokepoint-fixture.ts';

beforeEach(() => setUp());

describe('evidence before eradication', () => {
  const call = (over: Partial<StepCall>) =>
    callOf('remove', {
      approval: approvalOf([planOf('remove', 'destructive', { pod })]),
      evidenceDeadline: deadlineAhead,
      ...over,
    });

  test.each([
    ['no manifest', []],
    ['the manifest of another pod', [evidenceOf('uid-2')]],
    ['a manifest that the store does not have', [evidenceOf('uid-1')]],
    ['a manifest without a uid', [{ ...evidenceOf('uid-1'), target: { name: 'pod/shop/cart-1' } }]],
  ] as const)('cannot be bypassed with %s', async (_what, evidence) => {
    world.kept.add('m-uid-2');
    expect(await refusal(chokepoint.apply(call({ evidence: [...evidence] }), context))).toBe('FB_ERR_EVIDENCE_PENDING');
    expect(world.applied).toEqual([]);
  });

  test('must be of the suspect if the plan names one, not just of the target', async () => {
    world.evidenceOf = { name: 'pod/shop/cart-9', uid: 'uid-9' };
    const plan = { ...planOf('remove', 'destructive', { pod }), evidenceOf: world.evidenceOf };
    for (const uid of ['uid-1', 'uid-9']) world.kept.add(`m-${uid}`);
    const step = (uid: string) => call({ approval: approvalOf([plan]), evidence: [evidenceOf(uid)] });
    expect(await refusal(chokepoint.apply(step('uid-1'), context))).toBe('FB_ERR_EVIDENCE_PENDING');
    expect(await refusal(chokepoint.apply(step('uid-9'), context))).toBeUndefined();
  });

  test('cannot be bypassed with a deadline that has passed only according to the workflow', async () => {
    const late = call({ evidenceDeadline: deadlinePassed });
    // If it is tried again later, it is done: people have approved it.
    setUp({ incidents: heardSince(now - 1_790_000) });
    expect(await refusal(chokepoint.apply(late, context))).toBe('FB_ERR_UNAVAILABLE');
    setUp({ incidents: heardSince(now) });
    expect(await refusal(chokepoint.apply({ ...late, incident: { ...incident, run: 'made up' } }, context))).toBe(
      'FB_ERR_APPROVAL_INVALID',
    );
    expect(world.applied).toEqual([]);
    setUp({ incidents: heardSince(now - 1_800_000) });
    expect(await refusal(chokepoint.apply(late, context))).toBeUndefined();
  });

  test('is still required if the time is over only according to the cell', async () => {
    expect(await refusal(chokepoint.apply(call({}), context))).toBe('FB_ERR_EVIDENCE_PENDING');
  });

  describe('waived by people', () => {
    const waiver = (over: Parameters<typeof approvalOf>[1] = {}, name = 'pod/shop/cart-1', uid = 'uid-1') =>
      approvalOf([waiverOf({ name, uid })], { ...over, question: { requester: 'engine', ...over.question } });

    test.each<[string, ApprovalProof, string | undefined]>([
      ['two of them, on critical', waiver(), undefined],
      ['one of them, on critical', waiver({ people: ['ana'] }), 'FB_ERR_APPROVAL_INVALID'],
      [
        'one of them, of a question that said low',
        waiver({ people: ['ana'], question: { severity: 'low' } }),
        'FB_ERR_APPROVAL_INVALID',
      ],
      ['a stranger’s signatures', waiver({ key: outsiderKey }), 'FB_ERR_APPROVAL_INVALID'],
      ['another run', waiver({ question: { incident: { ...incident, run: 'run-2' } } }), 'FB_ERR_APPROVAL_INVALID'],
      ['asked by a playbook', waiver({ question: { requester: 'playbook/p' } }), 'FB_ERR_APPROVAL_INVALID'],
      ['for another pod of that name', waiver({}, 'pod/shop/cart-1', 'uid-2'), 'FB_ERR_EVIDENCE_PENDING'],
      ['by the approval of the step alone', approvalOf([planOf('remove', 'destructive', { pod })]), 'FB_ERR_APPROVAL_INVALID'],
    ])('%s', async (_what, proof, code) => {
      expect(await refusal(chokepoint.apply(call({ waiver: proof }), context))).toBe(code);
      expect(world.applied).toHaveLength(code === undefined ? 1 : 0);
    });

    test('is not an approval of the step', async () => {
      const { approval: _, ...unapproved } = call({ waiver: waiver() });
      expect(await refusal(chokepoint.apply(unapproved, context))).toBe('FB_ERR_APPROVAL_INVALID');
    });
  });

  test('cannot be bypassed with an invalid deadline', async () => {
    expect(await refusal(chokepoint.apply(call({ evidenceDeadline: 'yesterday' }), context))).toBe('FB_ERR_EVIDENCE_PENDING');
  });

  test('is sufficient once stored, and waived after the deadline', async () => {
    expect(await refusal(chokepoint.apply(call({ evidenceDeadline: deadlinePassed }), context))).toBeUndefined();
    world.kept.add('m-uid-1');
    expect(await refusal(chokepoint.apply(call({ evidence: [evidenceOf('uid-1')] }), context))).toBeUndefined();
  });
});
