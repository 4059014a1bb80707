import { beforeEach, describe, expect, test } from '@jest/globals';
import { countedIn } from '../../activities/chokepoint/reservations.ts';
import { podUidOf, type StepCall } from '../../core/action/step.ts';
import {
  approvalOf,
  callOf,
  chokepoint,
  context,
  deadlineAhead,
  noteOf,
  planOf,
  pod,
  refusal,
  rules,
  setUp,
  undoPlan,
  world,
} from './chokepoint-fixture.ts';

beforeEach(() => setUp());

describe('caps, with a hundred calls at once', () => {
  const calls = (over: (n: number) => Partial<StepCall> & { namespace?: string }) =>
    Array.from({ length: 100 }, (_, n) => {
      const { namespace = 'shop', ...rest } = over(n);
      return callOf('quarantine', { key: `step-${n}`, input: { pod: { namespace, name: `p-${n}`, uid: `u-${n}` } }, ...rest });
    });

  test.each([false, true])('the namespace’s holds (the watch lags: %s)', async (lags) => {
    world.watchLags = lags;
    const codes = await Promise.all(calls(() => ({})).map((call) => refusal(chokepoint.apply(call, context))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(5);
    expect(new Set(codes)).toEqual(new Set([undefined, 'FB_ERR_CAP_REACHED']));
    expect(await refusal(chokepoint.apply(callOf('quarantine', { input: { pod: { ...pod, uid: 'late' } } }), context))).toBe(
      'FB_ERR_CAP_REACHED',
    );
  });

  test('the cluster’s holds', async () => {
    const codes = await Promise.all(
      calls((n) => ({ namespace: `ns-${n % 50}` })).map((call) => refusal(chokepoint.apply(call, context))),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(8);
  });

  test('the cluster’s leaves each namespace its reserve, even when filled by decoys elsewhere', async () => {
    setUp();
    const { contained } = world;
    setUp({
      rules: { ...rules, namespaceReserve: 2 },
      census: { ownerReplicas: () => 1_000, ...countedIn(() => contained), containedBy: () => new Set() },
    });
    for (let n = 0; n < 8; n += 1) contained.set(`decoy-${n}`, `attacker-${n % 2}`);
    const codes = await Promise.all(calls(() => ({})).map((call) => refusal(chokepoint.apply(call, context))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(2);
    const theirs = await refusal(
      chokepoint.apply(callOf('quarantine', { input: { pod: { ...pod, namespace: 'attacker-0', uid: 'x' } } }), context),
    );
    expect(theirs).toBe('FB_ERR_CAP_REACHED');
  });

  test('a place stays taken when another step on the same pod is refused', async () => {
    world.watchLags = true;
    for (const call of calls(() => ({})).slice(0, 4)) await chokepoint.apply(call, context);
    await chokepoint.apply(callOf('quarantine'), context);
    const removal = callOf('remove', {
      evidenceDeadline: deadlineAhead,
      approval: approvalOf([planOf('remove', 'destructive', { pod })]),
    });
    expect(await refusal(chokepoint.apply(removal, context))).toBe('FB_ERR_EVIDENCE_PENDING');
    const sixth = callOf('quarantine', { key: 'late', input: { pod: { ...pod, uid: 'late' } } });
    expect(await refusal(chokepoint.apply(sixth, context))).toBe('FB_ERR_CAP_REACHED');
  });

  test('the owner’s share holds, also for one pod or an unknown number', async () => {
    for (const [replicas, most] of [
      [6, 3],
      [1, 1],
      [undefined, 1],
    ] as const) {
      setUp();
      const { contained } = world;
      setUp({
        census: {
          ownerReplicas: () => replicas,
          ...countedIn(() => contained),
          containedBy: () => new Set(),
        },
      });
      // The incident workflow is the only writer: it counts its own leases into each call, in order.
      const codes = await Promise.all(
        calls((n) => ({ ownerContained: n })).map((call) => refusal(chokepoint.apply(call, context))),
      );
      expect(codes.filter((code) => code === undefined)).toHaveLength(most);
    }
  });

  test('the owner’s share is counted by the cell if the incident does not count', async () => {
    for (const [watchLags, most] of [
      [true, 3],
      [false, 3],
    ] as const) {
      setUp({ replicas: 6 });
      world.watchLags = watchLags;
      const codes: (string | undefined)[] = [];
      for (const call of calls(() => ({})).slice(0, 6)) {
        codes.push(await refusal(chokepoint.apply(call, context)));
        if (!watchLags && codes.at(-1) === undefined) world.containedByIncident.add(String(podUidOf(call.input)));
      }
      expect(codes.filter((code) => code === undefined)).toHaveLength(most);
    }
  });

  test('a pod that the incident already contains takes no place, even under another step’s key', async () => {
    setUp({ replicas: 2 });
    world.containedByIncident.add('uid-1');
    for (let n = 0; n < 8; n += 1) world.contained.set(`other-${n}`, 'shop');
    expect(await refusal(chokepoint.apply(callOf('quarantine', { key: 'again' }), context))).toBeUndefined();
    expect(await refusal(chokepoint.apply(callOf('quarantine', { input: { pod: { ...pod, uid: 'uid-2' } } }), context))).toBe(
      'FB_ERR_CAP_REACHED',
    );
  });

  test('a refused step, and an undone one, free their place', async () => {
    setUp();
    for (let n = 0; n < 5; n += 1) {
      const call = callOf('quarantine', { key: `step-${n}`, assessed: 'no', input: { pod: { ...pod, uid: `u-${n}` } } });
      expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_ASK_FIRST');
    }
    world.watchLags = true;
    const steps = calls(() => ({})).slice(0, 5);
    for (const call of steps) await chokepoint.apply(call, context);
    const [first] = steps;
    const last = callOf('quarantine', { key: 'last', input: { pod: { ...pod, uid: 'last' } } });
    expect(await refusal(chokepoint.apply(last, context))).toBe('FB_ERR_CAP_REACHED');
    if (!first) throw new Error('nothing is contained');
    world.noted = [noteOf(first)];
    const plan = undoPlan(first);
    await chokepoint.undo({ call: first, reason: { kind: 'approved', proof: approvalOf([plan]), plan } }, context);
    expect(await refusal(chokepoint.apply(last, context))).toBeUndefined();
  });
});
