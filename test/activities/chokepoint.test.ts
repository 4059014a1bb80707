import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { type Chokepoint, type ChokepointParts, createChokepoint, type RegisteredAction } from '../../activities/chokepoint.ts';
import type { StepContext } from '../../core/action.ts';
import { type ApprovalProof, type Question, questionDigest, quorumOf } from '../../core/approval.ts';
import { digestOf } from '../../core/digest.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceRef } from '../../core/evidence.ts';
import type { Effect, Plan, Reach } from '../../core/plan.ts';
import { severities } from '../../core/severity.ts';
import { podUidOf, type StepCall, type UndoReason } from '../../core/step.ts';
import { deskKey, roster, signVote, strangerKey, voteKeys } from '../workflows/harness.ts';

const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
const deadlinePassed = '2026-01-01T00:00:00Z';
const deadlineAhead = '2027-01-01T00:00:00Z';
const now = Date.parse('2026-06-01T00:00:00Z');
const context: StepContext = {
  key: 'k',
  incident: incident.id,
  run: incident.run,
  fast: false,
  signal: new AbortController().signal,
};

/** The cluster of these tests: what was done to it, in order. */
interface World {
  readonly done: string[];
  readonly applied: { readonly action: string; readonly input: PodInput }[];
  readonly contained: Map<string, string>;
  /** Those that the incident is proven to have taken. */
  readonly taken: Set<string>;
  readonly kept: Set<string>;
  note: string;
  started: boolean;
  gone: boolean;
  /** Whose evidence the plan asks for, in place of its target's. */
  evidenceOf?: NonNullable<Plan['evidenceOf']>;
  /** Until the watch shows what was done. */
  watchLags: boolean;
}

interface PodInput {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
}

const podInput = z.object({ pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }) });
const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };

function action(world: World, name: string, effect: Effect, over: { reach?: Reach; contains?: true } = {}): RegisteredAction {
  const typed: RegisteredAction<PodInput, unknown> = {
    declaration: {
      name,
      title: name,
      effect,
      reach: over.reach ?? 'pod',
      pool: 'cell',
      ...(over.contains ? { contains: true } : {}),
      requires: ['pod'],
      timeouts: { planMs: 1, applyMs: 1, verifyMs: 1 },
      rights: [],
      verifiedBy: '',
      undo: '',
      example: { pod },
    },
    input: podInput,
    implementation: {
      plan: async (input) => {
        world.done.push(`plan ${name}`);
        if (world.gone) throw new FirebreakError('FB_ERR_TARGET_REPLACED', 'gone');
        const plan = planOf(name, effect, input, { note: world.note, reach: over.reach ?? 'pod' });
        return { ...plan, ...(world.evidenceOf && { evidenceOf: world.evidenceOf }) };
      },
      apply: async (input) => {
        world.done.push(`apply ${name}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
        world.applied.push({ action: name, input });
        if (over.contains && !world.watchLags) world.contained.set(input.pod.uid, input.pod.namespace);
        return { name };
      },
      started: async () => world.started,
      verify: async () => ({ state: 'applied', detail: '' }),
      ...(effect === 'reversible'
        ? {
            undo: async () => {
              world.done.push(`undo ${name}`);
              return { state: 'undone', detail: '' } as const;
            },
          }
        : {}),
    },
  };
  return typed as unknown as RegisteredAction;
}

function planOf(name: string, effect: Effect, input: PodInput, over: { note?: string; reach?: Reach } = {}): Plan {
  const target = `pod/${input.pod.namespace}/${input.pod.name}`;
  return {
    action: name,
    effect,
    reach: over.reach ?? 'pod',
    target: { name: target, uid: input.pod.uid },
    changes: [{ target, what: name }],
    blastRadius: [target],
    notes: over.note ? [over.note] : [],
    inputDigest: digestOf(input),
  };
}

function undoPlan(call: StepCall): Plan {
  return {
    ...planOf(`undo:${call.action}`, 'reversible', { pod }),
    weakens: true,
    inputDigest: digestOf({ key: call.key }),
  };
}

function approvalOf(
  plans: readonly Plan[],
  over: { people?: readonly string[]; question?: Partial<Question>; key?: typeof deskKey } = {},
): ApprovalProof {
  const severity = over.question?.severity ?? 'critical';
  const question: Question = {
    id: 'q1',
    incident,
    severity,
    text: 'really?',
    choices: [
      { id: 'yes', label: 'Yes', plans, quorum: quorumOf({ plans, severity }) },
      { id: 'no', label: 'No', plans: [], quorum: 1 },
    ],
    levels: [{ group: 'oncall', withinMs: 1 }],
    requester: 'playbook/p',
    ...over.question,
  };
  const votes = (over.people ?? ['ana', 'ben']).map((person, index) =>
    signVote(
      {
        version: 1,
        id: `v${index}`,
        incident: question.incident,
        question: question.id,
        questionDigest: questionDigest(question),
        choice: 'yes',
        person,
        via: 'slack',
        reason: 'not ours',
        at: '2026-05-01T00:00:00Z',
      },
      over.key ?? deskKey,
      'desk',
    ),
  );
  return { question, choice: 'yes', votes };
}

function callOf(name: string, over: Partial<StepCall> = {}): StepCall {
  return {
    key: `${incident.id}/${incident.run}/p/pod:uid-1/${name}/0`,
    action: name,
    input: { pod },
    incident,
    incidentTitle: 'cart',
    playbook: 'p',
    severity: 'critical',
    ownerContained: 0,
    evidence: [],
    evidenceDeadline: deadlinePassed,
    ...over,
  };
}

const evidenceOf = (uid: string): EvidenceRef => ({
  manifestSha256: `m-${uid}`,
  target: { name: 'pod/shop/cart-1', uid },
  artefacts: [],
});

let world: World;
let chokepoint: Chokepoint;

function setUp(over: Partial<ChokepointParts> & { replicas?: number } = {}): void {
  world = {
    done: [],
    applied: [],
    contained: new Map(),
    taken: new Set(),
    kept: new Set(),
    note: '',
    started: false,
    gone: false,
    watchLags: false,
  };
  const w = world;
  chokepoint = createChokepoint({
    actions: [
      action(w, 'quarantine', 'reversible', { contains: true }),
      action(w, 'remove', 'destructive'),
      action(w, 'drain', 'destructive', { reach: 'node' }),
      action(w, 'look', 'read'),
    ],
    rules: {
      protectedNamespaces: ['kube-system'],
      ownNamespace: 'firebreak',
      automaticFrom: 'critical',
      ownerShare: 0.5,
      namespaceCap: 5,
      clusterCap: 8,
    },
    roster,
    keys: voteKeys,
    census: {
      ownerReplicas: () => over.replicas ?? 1_000,
      contained: () => w.contained,
      takenBy: () => w.taken,
    },
    evidenceKept: async (ref) => {
      w.done.push('evidence');
      return w.kept.has(ref.manifestSha256);
    },
    now: () => now,
    ...over,
  });
}

beforeEach(() => setUp());

const refusal = async (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof FirebreakError ? error.code : String(error)),
  );

describe('order', () => {
  test('plan, evidence, apply; and nothing is planned for an input that is not valid', async () => {
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

  test('what is asked for by what is not kept yet is planned, and changed when it is kept; never when it could not be', async () => {
    let keep: () => void = () => undefined;
    const durable = new Promise<void>((resolve) => {
      keep = resolve;
    });
    const applied = chokepoint.apply(callOf('quarantine'), { ...context, durable });
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

  test('an approval that is not valid is found before guardrails and evidence are asked', async () => {
    const call = callOf('remove', {
      approval: approvalOf([planOf('remove', 'destructive', { pod })], { key: strangerKey }),
      evidenceDeadline: deadlineAhead,
    });
    expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_APPROVAL_INVALID');
    expect(world.done).toEqual(['plan remove']);
  });
});

describe('who is named as the actor', () => {
  const approval = () => approvalOf([planOf('remove', 'destructive', { pod })]);
  const call = (over: Partial<StepCall>) => callOf('remove', { evidenceDeadline: deadlinePassed, ...over });

  test.each([
    ['by the incident, since they voted', () => ({ approval: approval(), actors: ['ana'] }), 'FB_ERR_APPROVAL_INVALID'],
    [
      'by the question that they answered',
      () => ({ approval: approvalOf([planOf('remove', 'destructive', { pod })], { question: { actors: ['ben'] } }) }),
      'FB_ERR_APPROVAL_INVALID',
    ],
    ['and is nobody who voted', () => ({ approval: approval(), actors: ['lea'] }), undefined],
  ])('%s', async (_what, over, code) => {
    expect(await refusal(chokepoint.apply(call(over()), context))).toBe(code);
    expect(world.applied).toHaveLength(code === undefined ? 1 : 0);
  });

  test('gives nothing back either', async () => {
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

  test('nothing destructive and nothing in a protected namespace is applied without a valid approval of exactly that plan', async () => {
    let applied = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('quarantine', 'remove', 'drain'),
        pods,
        approvals,
        fc.constantFrom(...severities),
        fc.constantFrom(deadlinePassed, deadlineAhead, 'never'),
        fc.integer({ min: -5, max: 5 }),
        async (name, target, wish, severity, evidenceDeadline, ownerContained) => {
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
              key: asked.stranger ? strangerKey : deskKey,
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
            expect(severity).toBe('critical');
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
    '%s is protected also when it is only touched, or is the target itself, from %j',
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

describe('caps, with a hundred calls at once', () => {
  const calls = (over: (n: number) => Partial<StepCall> & { namespace?: string }) =>
    Array.from({ length: 100 }, (_, n) => {
      const { namespace = 'shop', ...rest } = over(n);
      return callOf('quarantine', { key: `step-${n}`, input: { pod: { namespace, name: `p-${n}`, uid: `u-${n}` } }, ...rest });
    });

  test.each([false, true])('the namespace’s (the watch lags: %s)', async (lags) => {
    world.watchLags = lags;
    const codes = await Promise.all(calls(() => ({})).map((call) => refusal(chokepoint.apply(call, context))));
    expect(codes.filter((code) => code === undefined)).toHaveLength(5);
    expect(new Set(codes)).toEqual(new Set([undefined, 'FB_ERR_CAP_REACHED']));
    expect(await refusal(chokepoint.apply(callOf('quarantine', { input: { pod: { ...pod, uid: 'late' } } }), context))).toBe(
      'FB_ERR_CAP_REACHED',
    );
  });

  test('the cluster’s', async () => {
    const codes = await Promise.all(
      calls((n) => ({ namespace: `ns-${n % 50}` })).map((call) => refusal(chokepoint.apply(call, context))),
    );
    expect(codes.filter((code) => code === undefined)).toHaveLength(8);
  });

  test('the owner’s share, also of one pod and of an unknown number', async () => {
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
          contained: () => contained,
          takenBy: () => new Set(),
        },
      });
      // The incident workflow is the one writer: it counts its own leases into each call, in order.
      const codes = await Promise.all(
        calls((n) => ({ ownerContained: n })).map((call) => refusal(chokepoint.apply(call, context))),
      );
      expect(codes.filter((code) => code === undefined)).toHaveLength(most);
    }
  });

  test('the owner’s share, counted by the cell where the incident does not count', async () => {
    for (const [watchLags, most] of [
      [true, 3],
      [false, 3],
    ] as const) {
      setUp({ replicas: 6 });
      world.watchLags = watchLags;
      const codes: (string | undefined)[] = [];
      for (const call of calls(() => ({})).slice(0, 6)) {
        codes.push(await refusal(chokepoint.apply(call, context)));
        if (!watchLags && codes.at(-1) === undefined) world.taken.add(String(podUidOf(call.input)));
      }
      expect(codes.filter((code) => code === undefined)).toHaveLength(most);
    }
  });

  test('what the incident holds already takes no place, under another step’s key too', async () => {
    setUp({ replicas: 2 });
    world.taken.add('uid-1');
    for (let n = 0; n < 8; n += 1) world.contained.set(`other-${n}`, 'shop');
    expect(await refusal(chokepoint.apply(callOf('quarantine', { key: 'again' }), context))).toBeUndefined();
    expect(await refusal(chokepoint.apply(callOf('quarantine', { input: { pod: { ...pod, uid: 'uid-2' } } }), context))).toBe(
      'FB_ERR_CAP_REACHED',
    );
  });

  test('a step that is refused, and one that is given back, give their place back', async () => {
    setUp();
    for (let n = 0; n < 5; n += 1) {
      const call = callOf('quarantine', { key: `step-${n}`, severity: 'low', input: { pod: { ...pod, uid: `u-${n}` } } });
      expect(await refusal(chokepoint.apply(call, context))).toBe('FB_ERR_APPROVAL_INVALID');
    }
    world.watchLags = true;
    const steps = calls(() => ({})).slice(0, 5);
    for (const call of steps) await chokepoint.apply(call, context);
    const [first] = steps;
    const last = callOf('quarantine', { key: 'last', input: { pod: { ...pod, uid: 'last' } } });
    expect(await refusal(chokepoint.apply(last, context))).toBe('FB_ERR_CAP_REACHED');
    if (first)
      await chokepoint.undo(
        { call: first, reason: { kind: 'approved', proof: approvalOf([undoPlan(first)]), plan: undoPlan(first) } },
        context,
      );
    expect(await refusal(chokepoint.apply(last, context))).toBeUndefined();
  });
});

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
  ] as const)('is not gone around with %s', async (_what, evidence) => {
    world.kept.add('m-uid-2');
    expect(await refusal(chokepoint.apply(call({ evidence: [...evidence] }), context))).toBe('FB_ERR_EVIDENCE_PENDING');
    expect(world.applied).toEqual([]);
  });

  test('is of the suspect where the plan names one: that of its target is not enough', async () => {
    world.evidenceOf = { name: 'pod/shop/cart-9', uid: 'uid-9' };
    const plan = { ...planOf('remove', 'destructive', { pod }), evidenceOf: world.evidenceOf };
    for (const uid of ['uid-1', 'uid-9']) world.kept.add(`m-${uid}`);
    const step = (uid: string) => call({ approval: approvalOf([plan]), evidence: [evidenceOf(uid)] });
    expect(await refusal(chokepoint.apply(step('uid-1'), context))).toBe('FB_ERR_EVIDENCE_PENDING');
    expect(await refusal(chokepoint.apply(step('uid-9'), context))).toBeUndefined();
  });

  test('is not gone around with a deadline that is no time', async () => {
    expect(await refusal(chokepoint.apply(call({ evidenceDeadline: 'yesterday' }), context))).toBe('FB_ERR_EVIDENCE_PENDING');
  });

  test('is enough when kept, and waived when the deadline has passed', async () => {
    expect(await refusal(chokepoint.apply(call({ evidenceDeadline: deadlinePassed }), context))).toBeUndefined();
    world.kept.add('m-uid-1');
    expect(await refusal(chokepoint.apply(call({ evidence: [evidenceOf('uid-1')] }), context))).toBeUndefined();
  });
});

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
