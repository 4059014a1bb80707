import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Chokepoint, order } from '../../activities/chokepoint/chokepoint.ts';
import type { Effect, Reach } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import { severities } from '../../core/alert/severity.ts';
import type { ApprovalProof } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { eventually } from '../eventually.ts';
import { deskKey, outsiderKey } from '../workflows/people.ts';
import {
  action,
  approvalOf,
  assessedPod,
  callOf,
  chokepoint,
  context,
  deadlineAhead,
  deadlinePassed,
  evidenceOf,
  incident,
  now,
  planOf,
  pod,
  refusal,
  rules,
  setUp,
  undoPlan,
  world,
} from './chokepoint-fixture.ts';

beforeEach(() => setUp());

describe('order', () => {
  test('is plan, evidence, apply; invalid input is not even planned', async () => {
    world.kept.add('m-uid-1');
    const call = callOf('remove', {
      approval: approvalOf([planOf('remove', 'destructive', { pod })]),
      evidence: [evidenceOf('uid-1')],
      evidenceDeadline: deadlineAhead,
    });
    await chokepoint.apply(call, context);
    expect(world.done).toEqual(['plan remove', 'evidence', 'apply remove']);
    world.done.length = 0;
    expect(await refusal(chokepoint.apply(callOf('quarantine', { input: { pod: { name: 'x' } } }), context))).toBe(
      'FB_ERR_REFUSED',
    );
    expect(await refusal(chokepoint.apply(callOf('unknown'), context))).toBe('FB_ERR_REFUSED');
    expect(world.done).toEqual([]);
  });

  test('a step for a request not stored yet is planned, and applied once it is stored, or never if that fails', async () => {
    let keep: () => void = () => undefined;
    const durable = new Promise<void>((resolve) => {
      keep = resolve;
    });
    const applied = chokepoint.apply(callOf('quarantine'), { ...context, durable });
    await eventually('the plan', () => world.done.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(world.done).toEqual(['plan quarantine']);
    keep();
    await applied;
    expect(world.done).toEqual(['plan quarantine', 'apply quarantine']);

    setUp();
    const lost = { ...context, durable: Promise.reject(new Error('disk full')) };
    expect(await refusal(chokepoint.apply(callOf('quarantine'), lost))).toBe('FB_ERR_REFUSED');
    expect(world.done).toEqual(['plan quarantine']);
  });

  test('a lease is no longer than the configuration allows, and silence never ends it at critical, whatever the call says', async () => {
    setUp({ rules: { ...rules, longestLeaseHours: 2 } });
    const lease = { durationMs: 30 * 86_400_000, onExpiry: 'release', saga: true } as const;
    const applied = await chokepoint.apply(callOf('quarantine', { lease, severity: 'critical' }), context);
    const taken = { durationMs: 2 * 3_600_000, onExpiry: 'renew', saga: true };
    expect(world.taken).toMatchObject([{ severity: 'critical', lease: taken }]);
    expect(applied.lease).toEqual({ ...taken, longestMs: 2 * 3_600_000 });
  });

  test('an invalid approval is found before guardrails and evidence are checked', async () => {
    const call = callOf('remove', {
      approval: approvalOf([planOf('remove', 'destructive', { pod })], { key: outsiderKey }),
      evidenceDeadline: deadlineAhead,
    });
    expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(world.done).toEqual(['plan remove']);
  });
});

describe('a person named as the actor', () => {
  const approval = () => approvalOf([planOf('remove', 'destructive', { pod })]);
  const call = (over: Partial<StepCall>) => callOf('remove', { evidenceDeadline: deadlinePassed, ...over });

  test.each([
    ['by the incident after voting', () => ({ approval: approval(), actors: ['ana'] }), 'FB_ERR_APPROVAL_INVALID'],
    [
      'by the question that they answered',
      () => ({ approval: approvalOf([planOf('remove', 'destructive', { pod })], { question: { actors: ['ben'] } }) }),
      'FB_ERR_APPROVAL_INVALID',
    ],
    ['who did not vote', () => ({ approval: approval(), actors: ['lea'] }), undefined],
  ])('%s', async (_what, over, code) => {
    expect(await refusal(chokepoint.apply(call(over()), context))).toBe(code);
    expect(world.applied).toHaveLength(code === undefined ? 1 : 0);
  });

  test('may not undo anything either', async () => {
    const contained = callOf('quarantine', { actors: ['ben'] });
    const plan = undoPlan(contained);
    const reason = { kind: 'approved', proof: approvalOf([plan]), plan } as const;
    expect(await refusal(chokepoint.undo({ call: contained, reason }, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(await refusal(chokepoint.undo({ call: { ...contained, actors: [] }, reason }, context))).toBeUndefined();
  });
});

describe('whatever the call says', () => {
  const mostly = <T, U>(usual: T, other: fc.Arbitrary<U>) =>
    fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
  const pods = fc.record({
    namespace: fc.constantFrom('shop', 'kube-system', 'firebreak'),
    name: fc.constantFrom('cart-1', 'cart-2'),
    uid: fc.constantFrom('uid-1', 'uid-2'),
  });
  const approvals = fc.option(
    fc.record({
      about: mostly(undefined, fc.constantFrom('quarantine', 'remove', 'drain')),
      approvedPod: mostly(undefined, pods),
      people: fc.oneof(fc.subarray(['ana', 'ben']), fc.subarray(['ana', 'ben', 'eve', 'lea', 'mallory'])),
      stranger: mostly(false, fc.boolean()),
      otherRun: mostly(false, fc.boolean()),
      note: mostly('', fc.constant('changed')),
      tampered: mostly(false, fc.boolean()),
      requester: fc.constantFrom('playbook/p', 'person/ana'),
    }),
    { nil: undefined },
  );

  /** What a call, which comes through Temporal, may say that the cell has said. */
  const confirmations = {
    own: (uid: string) => assessedPod(uid),
    'of another pod': () => assessedPod('uid-of-another'),
    'of another cell': (uid: string) => assessedPod(uid, now, new Uint8Array(32).fill(8)),
    old: (uid: string) => assessedPod(uid, now - 8 * 86_400_000),
    'made up': (uid: string) => JSON.stringify({ version: 1, podUid: uid, alert: 'a', at: new Date(now).toISOString(), mac: '' }),
  } as const;

  test('nothing destructive or in a protected namespace is applied without a valid approval of exactly that plan', async () => {
    let applied = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('quarantine', 'remove', 'drain'),
        pods,
        approvals,
        fc.constantFrom(...severities),
        fc.constantFrom<keyof typeof confirmations>('own', 'of another pod', 'of another cell', 'old', 'made up'),
        fc.constantFrom(deadlinePassed, deadlineAhead, 'never'),
        fc.integer({ min: -5, max: 5 }),
        async (name, target, wish, severity, confirmation, evidenceDeadline, ownerContained) => {
          const asked = wish && { ...wish, about: wish.about ?? name, approvedPod: wish.approvedPod ?? target };
          setUp();
          const effectOf = (which: string): Effect => (which === 'quarantine' ? 'reversible' : 'destructive');
          const reachOf = (which: string): Reach => (which === 'drain' ? 'node' : 'pod');
          let approval: ApprovalProof | undefined;
          if (asked) {
            const plan = planOf(
              asked.about,
              effectOf(asked.about),
              { pod: asked.approvedPod },
              { note: asked.note, reach: reachOf(asked.about) },
            );
            const proof = approvalOf([plan], {
              people: asked.people,
              key: asked.stranger ? outsiderKey : deskKey,
              question: { requester: asked.requester, ...(asked.otherRun ? { incident: { ...incident, run: 'run-2' } } : {}) },
            });
            const choices = [
              {
                id: 'yes',
                label: 'Yes',
                plans: [planOf(name, effectOf(name), { pod: target }, { reach: reachOf(name) })],
                quorum: 0,
              },
            ];
            approval = asked.tampered ? { ...proof, question: { ...proof.question, choices } } : proof;
          }
          const call = callOf(name, {
            input: { pod: target },
            severity,
            assessed: confirmations[confirmation](target.uid),
            evidenceDeadline,
            ownerContained,
            ...(approval ? { approval } : {}),
          });
          const code = await refusal(chokepoint.apply(call, context));
          if (code !== undefined) {
            expect(world.applied).toEqual([]);
            return;
          }
          applied += 1;
          expect(target.namespace).not.toBe('firebreak');
          if (name === 'quarantine' && !asked) {
            expect(confirmation).toBe('own');
            expect(target.namespace).toBe('shop');
            return;
          }
          const needed = name === 'drain' || target.namespace === 'kube-system' ? 2 : 1;
          expect(asked).toMatchObject({
            about: name,
            approvedPod: target,
            stranger: false,
            otherRun: false,
            note: '',
            tampered: false,
          });
          expect(asked?.people.every((person) => ['ana', 'ben'].includes(person))).toBe(true);
          expect(asked?.people.length).toBeGreaterThanOrEqual(needed);
          if (asked?.requester === 'person/ana') expect(asked.people).not.toContain('ana');
          if (name !== 'quarantine') expect(evidenceDeadline).toBe(deadlinePassed);
        },
      ),
      { numRuns: 1_500, seed: 20261124, examples: [] },
    );
    // Otherwise the property would hold for a chokepoint that refuses everything.
    expect(applied).toBeGreaterThan(10);
  });

  test.each([
    ['kube-system', ['ana'], 'FB_ERR_APPROVAL_INVALID'],
    ['kube-system', ['ana', 'ben'], undefined],
    ['firebreak', ['ana', 'ben'], 'FB_ERR_PROTECTED'],
  ] as const)(
    '%s is protected even if it is only affected, or is the target itself, from %j',
    async (namespace, people, code) => {
      for (const over of [
        { blastRadius: ['pod/shop/cart-1', `configmap/${namespace}/dns`] },
        { changes: [{ target: `secret/${namespace}/token`, what: 'x' }] },
        { target: { name: `namespace/${namespace}` } },
      ]) {
        setUp();
        const plan = { ...planOf('remove', 'destructive', { pod }), ...over };
        const special = action(world, 'remove', 'destructive');
        setUp({ actions: [{ ...special, implementation: { ...special.implementation, plan: async () => plan } }] });
        const call = callOf('remove', { approval: approvalOf([plan], { people }) });
        expect(await refusal(chokepoint.apply(call, context))).toBe(code);
      }
    },
  );
});

describe('a protected node', () => {
  test.each([
    ['control-*', 'control-1', 'FB_ERR_PROTECTED'],
    ['control-1', 'control-1', 'FB_ERR_PROTECTED'],
    ['a.b', 'axb', undefined],
    ['control-1', 'control-10', undefined],
  ])('is matched by its pattern, approved or not: %s for %s', async (pattern, node, code) => {
    for (const over of [
      { target: { name: `node/${node}` } },
      { changes: [{ target: `node/${node}`, what: 'x' }] },
      { blastRadius: ['pod/shop/cart-1', `node/${node}`] },
    ]) {
      setUp();
      const plan = { ...planOf('drain', 'destructive', { pod }, { reach: 'node' }), ...over };
      const special = action(world, 'drain', 'destructive', { reach: 'node' });
      const actions = [{ ...special, implementation: { ...special.implementation, plan: async () => plan } }];
      setUp({ actions, rules: { ...rules, protectedNodes: [pattern] } });
      const call = callOf('drain', { approval: approvalOf([plan], { people: ['ana', 'ben'] }) });
      expect(await refusal(chokepoint.plan(call, context))).toBe(code);
      expect(await refusal(chokepoint.apply(call, context))).toBe(code);
    }
  });
});

const stagesOf = (operation: keyof Chokepoint) => order.flatMap(({ name, on }) => (on.includes(operation) ? [name] : []));

describe('the table of checks', () => {
  test('matches the documented table', () => {
    expect(stagesOf('plan')).toEqual(['input', 'plan', 'guardrails']);
    expect(stagesOf('apply')).toEqual([
      'input',
      'repeat',
      'plan',
      'approval',
      'silence',
      'guardrails',
      'evidence',
      'before-state',
      'apply',
      'record',
      'event',
    ]);
    expect(stagesOf('verify')).toEqual(['input', 'verify']);
    expect(stagesOf('undo')).toEqual(['input', 'release', 'undo', 'event']);
    for (const { file } of order) expect([file, existsSync(join(projectRoot(), file))]).toEqual([file, true]);
  });

  test('is run in order: fixing each fault of an all-wrong step reveals the next', async () => {
    const plan = planOf('remove', 'destructive', { pod });
    const good = approvalOf([plan]);
    const ownIs = (ownNamespace: string) => setUp({ rules: { ...rules, ownNamespace } });
    const lost = async () => {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the spool is gone');
    };
    const apply = (over: Parameters<typeof callOf>[1], durable: Promise<unknown> = lost()) => {
      durable.catch(() => undefined);
      return refusal(chokepoint.apply(callOf('remove', { evidenceDeadline: deadlineAhead, ...over }), { ...context, durable }));
    };
    const forged = { ...good, votes: [] };

    ownIs('shop');
    world.gone = true;
    expect(await apply({ input: {}, approval: forged })).toBe('FB_ERR_REFUSED');
    expect(world.done).toEqual([]);
    expect(await apply({ approval: forged })).toBe('FB_ERR_TARGET_REPLACED');
    world.gone = false;
    expect(await apply({ approval: forged })).toBe('FB_ERR_APPROVAL_INVALID');
    expect(await apply({ approval: good })).toBe('FB_ERR_PROTECTED');
    ownIs('firebreak');
    expect(await apply({ approval: good })).toBe('FB_ERR_EVIDENCE_PENDING');
    const late = { approval: good, evidenceDeadline: '2026-01-01T00:00:00Z' };
    expect(await apply(late)).toBe('FB_ERR_REFUSED');
    expect(world.done).not.toContain('apply remove');
    expect(await apply(late, Promise.resolve())).toBeUndefined();
    expect(world.done.at(-1)).toBe('apply remove');
  });
});
