import { z } from 'zod';
import { type Chokepoint, createChokepoint } from '../../activities/chokepoint/chokepoint.ts';
import type { ChokepointParts, RegisteredAction } from '../../activities/chokepoint/parts.ts';
import { countedIn } from '../../activities/chokepoint/reservations.ts';
import { IncidentMemory } from '../../activities/memory/incident-memory.ts';
import { VoteMemory } from '../../activities/memory/vote-memory.ts';
import type { StepContext } from '../../core/action/action.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Effect, Plan, Reach } from '../../core/action/plan.ts';
import { releasePlanOf } from '../../core/action/release-plan.ts';
import { podUidOf, type StepCall } from '../../core/action/step.ts';
import { isSealedFor, sealContainment } from '../../core/assessment/containment-seal.ts';
import { type ApprovalProof, type Question, questionDigest, quorumOf } from '../../core/decide/approval.ts';
import type { EnvelopeAsking } from '../../core/decide/asking.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceRef } from '../../core/evidence/evidence.ts';
import type { ReleasedObject } from '../../core/incident/hold.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import { deskKey, roster, signVote, voteKeys } from '../workflows/people.ts';

export const incident = { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' };
export const deadlinePassed = '2026-01-01T00:00:00Z';
export const deadlineAhead = '2027-01-01T00:00:00Z';
export const now = Date.parse('2026-06-01T00:00:00Z');
export const context: StepContext = {
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
  /** Uids of pods that the incident is proven to contain. */
  readonly containedByIncident: Set<string>;
  readonly kept: Set<string>;
  note: string;
  started: boolean;
  gone: boolean;
  /** An undo finds that somebody has changed the pod. */
  drifted: boolean;
  /** Whose evidence the plan asks for, instead of its target's. */
  evidenceOf?: NonNullable<Plan['evidenceOf']>;
  /** What the note on the pod says. */
  noted: readonly ReleasedObject[];
  /** Until the watch shows the change. */
  watchLags: boolean;
  /** What each undo was told about its step's result. */
  readonly told: { readonly output?: unknown; readonly isForgotten?: true }[];
  /** The terms on which leases were taken. */
  readonly taken: StepContext['taking'][];
}

interface PodInput {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string };
}

const podInput = z.object({ pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }) });
export const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };

export function action(
  world: World,
  name: string,
  effect: Effect,
  over: { reach?: Reach; contains?: true } = {},
): RegisteredAction {
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
      apply: async (input, { taking }) => {
        world.done.push(`apply ${name}`);
        world.taken.push(taking);
        await new Promise((resolve) => setTimeout(resolve, 1));
        world.applied.push({ action: name, input });
        if (over.contains && !world.watchLags) world.contained.set(input.pod.uid, input.pod.namespace);
        return { name };
      },
      started: async () => world.started,
      verify: async () => ({ state: 'applied', detail: '' }),
      ...(effect === 'reversible'
        ? {
            undo: async ({ allow, output, isForgotten }) => {
              world.told.push({ ...(output !== undefined && { output }), ...(isForgotten && { isForgotten }) });
              await allow?.(world.noted);
              world.done.push(`undo ${name}`);
              return world.drifted
                ? ({ state: 'drifted', detail: '', difference: ['a label'] } as const)
                : ({ state: 'undone', detail: '' } as const);
            },
          }
        : {}),
    },
  };
  return typed as unknown as RegisteredAction;
}

export function planOf(name: string, effect: Effect, input: PodInput, over: { note?: string; reach?: Reach } = {}): Plan {
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

export function undoPlan(call: StepCall): Plan {
  return releasePlanOf(planOf(call.action, 'reversible', podInput.parse(call.input)), call.key);
}

export function approvalOf(
  plans: readonly Plan[],
  over: { people?: readonly string[]; question?: Partial<Question>; choice?: string; key?: typeof deskKey } = {},
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
    onSilence: 'It stays.',
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
        choice: over.choice ?? 'yes',
        person,
        via: 'slack',
        reason: 'not ours',
        at: new Date(now - 60_000).toISOString(),
      },
      over.key ?? deskKey,
      'desk',
    ),
  );
  return { question, choice: 'yes', votes };
}

export function callOf(name: string, over: Partial<StepCall> = {}): StepCall {
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
    assessed: assessedPod(podUidOf(over.input ?? { pod }) ?? ''),
    ...over,
  };
}

/** What the note on the pod says if this step took it a minute ago. */
export function noteOf(
  { key, incident, severity, input }: StepCall,
  over: Partial<ReleasedObject['terms']> = {},
): ReleasedObject {
  const lease = { durationMs: 30_000, onExpiry: 'release' } as const;
  const terms = { severity, reach: 'pod', lease, at: new Date(now - 150_000).toISOString(), ...over } as const;
  const { pod } = podInput.parse(input);
  return { object: `pod/${pod.namespace}/${pod.name}`, uid: pod.uid, incident: incident.id, step: key, terms };
}

export const evidenceOf = (uid: string): EvidenceRef => ({
  manifestSha256: `m-${uid}`,
  target: { name: 'pod/shop/cart-1', uid },
  artefacts: [],
});

const cellKey = new Uint8Array(32).fill(7);

/** What the cell says of a pod that is to be cut off without people. */
export function assessedPod(podUid: string, at = now, key: Uint8Array = cellKey): string {
  return sealContainment({ podUid, alert: 'a', at: new Date(at).toISOString() }, key);
}

export const rules: GuardrailRules = {
  protectedNamespaces: ['kube-system'],
  ownNamespace: 'firebreak',
  ownerShare: 0.5,
  namespaceCap: 5,
  clusterCap: 8,
};

/** All parts of a chokepoint except its actions, when nothing is contained and nothing is stored. */
export const partsWithout: Omit<ChokepointParts, 'actions'> = {
  rules,
  roster,
  keys: voteKeys,
  census: { ownerReplicas: () => 1_000, ...countedIn(() => new Map()), containedBy: () => new Set() },
  hasEvidence: async () => false,
  evidenceWait: { ms: 1_800_000 },
  asking: () => ({ playbooks: [], groups: ['oncall'] }),
  incidents: new IncidentMemory(),
  votes: new VoteMemory(),
  isAssessed: (text, podUid) => isSealedFor(text, { podUid, key: cellKey, nowMs: now }),
};

/** A playbook `p` that uses these actions and asks whoever is on call, as the incidents do. */
export function askingWith(actions: readonly RegisteredAction[], over: Partial<AnyPlaybook> = {}): EnvelopeAsking {
  const uses = Object.fromEntries(actions.map(({ declaration }) => [declaration.name, declaration]));
  const on = { match: { rule: 'none' }, minSeverity: 'low', requires: [] } as const;
  return {
    playbooks: [{ id: 'p', title: 'p', on, uses, levels: [{ group: 'oncall', within: '15m' }], ...over }],
    groups: ['oncall'],
  };
}

/** The incident of these tests, which the cell first heard of at this time. */
export function heardSince(at: number): IncidentMemory {
  let clock = at;
  const incidents = new IncidentMemory({ now: () => clock });
  incidents.began(incident);
  clock = now;
  return incidents;
}

export let world: World;
export let chokepoint: Chokepoint;

export function setUp(over: Partial<ChokepointParts> & { replicas?: number } = {}): void {
  world = {
    done: [],
    applied: [],
    taken: [],
    told: [],
    contained: new Map(),
    containedByIncident: new Set(),
    kept: new Set(),
    note: '',
    started: false,
    gone: false,
    watchLags: false,
    drifted: false,
    noted: [noteOf(callOf('quarantine'))],
  };
  const w = world;
  const actions = [
    action(w, 'quarantine', 'reversible', { contains: true }),
    action(w, 'remove', 'destructive'),
    action(w, 'drain', 'destructive', { reach: 'node' }),
    action(w, 'look', 'read'),
  ];
  chokepoint = createChokepoint({
    ...partsWithout,
    actions,
    asking: () => askingWith(actions),
    incidents: heardSince(Date.parse('2026-05-01T00:00:00Z')),
    census: {
      ownerReplicas: () => over.replicas ?? 1_000,
      ...countedIn(() => w.contained),
      containedBy: () => w.containedByIncident,
    },
    hasEvidence: async (ref) => {
      w.done.push('evidence');
      return w.kept.has(ref.manifestSha256);
    },
    now: () => now,
    ...over,
  });
}

export const refusal = async (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof FirebreakError ? error.code : String(error)),
  );
