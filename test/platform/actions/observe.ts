import { createChokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import type { ActionImplementation, StepContext, UndoResult, Verification } from '../../../core/action/action.ts';
import type { Plan } from '../../../core/action/plan.ts';
import { problemOfRelease, releasePlanOf } from '../../../core/action/release-plan.ts';
import { codeOf, FirebreakError, hasCode } from '../../../core/errors.ts';
import type { AllowRelease, ReleasedObject } from '../../../core/incident/hold.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { targetOf } from '../../../integrations/kubernetes/objects.ts';
import { callOf, partsWithout } from '../../activities/chokepoint-fixture.ts';
import { cellKey, stepContext, until } from '../kubernetes/parts/cluster.ts';
import { accountWith, without } from './accounts.ts';
import { contents, podsOf, restorable, settledContents, takeNotes } from './object-contents.ts';
import { Killed, recorded } from './recorder.ts';
import type { AnyRow, ImplementationParts, Scene, TestCluster } from './row.ts';

type Implementation = ActionImplementation<unknown, unknown>;

/** What was observed of one action on the real API server. */
export interface Observations {
  /** Targets of the planned changes, and what was really changed; sorted, without duplicates. */
  readonly planned: readonly string[];
  readonly changed: readonly string[];
  /** Kind of object of each changing call, sorted. */
  readonly calls: readonly string[];
  readonly planAgain: readonly string[];
  readonly changedAgain: readonly string[];
  readonly verification: Verification;
  /** Pods that ran before and are gone now, or are being ended. */
  readonly ended: readonly string[];
  readonly drift?: { readonly result: UndoResult; readonly changed: readonly string[] };
  /** The same when the notes are gone from everything that the step left, and the cell does not know the step. */
  readonly robbed?: { readonly result: UndoResult; readonly changed: readonly string[] };
  readonly undo?: { readonly result: UndoResult; readonly again: UndoResult };
  /** What was changed by an undo that the note does not allow, and what people were asked about. */
  readonly unallowed?: { readonly changed: readonly string[]; readonly asked: readonly ReleasedObject[] };
  /** Why the objects asked about differ from those in the plan of the release; undefined if they are the same. */
  readonly release?: string | undefined;
  /**
   * How the chokepoint answers a call under another key claiming that the step failed, and what the call changed. `came`: the state, or the code of the
   * refusal; `drifted elsewhere` if none of its own objects is affected.
   */
  readonly asFailed?: { readonly came: string; readonly changed: readonly string[] };
  /** Name of each object → its contents before, and after apply and undo. */
  readonly restored: readonly { readonly object: string; readonly before: unknown; readonly after: unknown }[];
  /** What was changed when the process died at each call and the step was resumed. */
  readonly killed: readonly { readonly at: string; readonly changed: readonly string[] }[];
  /** The same for the undo: what it reports when it is resumed, and what is there before the step and afterwards. */
  readonly undoKilled: readonly {
    readonly at: string;
    readonly died: boolean;
    readonly state: UndoResult['state'];
    readonly before: readonly unknown[];
    readonly after: readonly unknown[];
  }[];
  readonly rights: { readonly enough: string; readonly oneLess: Readonly<Record<string, string>> };
}

export interface World {
  readonly cluster: TestCluster;
  readonly kubeconfig: string;
  readonly folder: string;
  readonly evidence: ImplementationParts['evidence'];
  freshNamespace(): Promise<string>;
}

/** Tests one action in every way that all actions must withstand. */
export async function observe(row: AnyRow, world: World): Promise<Observations> {
  const { cluster } = world;
  const reversible = row.declaration.effect === 'reversible';
  const first = await sceneIn(row, world);
  const parts = { view: cluster.view, cellKey, evidence: world.evidence };
  const api = recorded(cluster.api);
  const action = row.implementation({ ...parts, api });
  const { input } = first.scene;
  const kept = restorable(first);

  const runs = first.scene.running ?? (() => runningPods(cluster, first.namespace));
  const [running, before] = [await runs(), await contents(cluster, kept)];
  const untaken = contextFor(first.namespace);
  const plan = fullPlan(row, input, await action.plan(input, untaken));
  const context = { ...untaken, taking: { ...taking, reach: plan.reach } };
  const output = await action.apply(input, context);
  const calls = api.take();
  const changed = unique(calls);
  await action.apply(input, context);
  const changedAgain = api.take();
  const planAgain = plan && reversible ? (await action.plan(input, context)).changes.map(({ target }) => target) : [];
  const verification = await action.verify(output, context);
  const ended = await endedSince(runs, running, row.declaration.effect === 'destructive');

  const undone = action.undo
    ? await undoBoth({
        row,
        action,
        undo: action.undo,
        scene: first.scene,
        plan,
        output,
        context,
        take: () => api.take(),
        takeNotes: () => takeNotes(cluster, [...kept, podsOf(first.namespace)], row.declaration.name),
      })
    : {};
  const restored = action.undo ? kept.map((one, at) => ({ object: targetOf({ name: '', ...one }), before: before[at] })) : [];
  const after = await settledContents(cluster, kept, action.undo ? before : undefined);

  const { killed, undoKilled } = await killEverywhere({ row, world, changes: calls.length });
  const rights = await tryRights({ row, world, first });
  await first.scene.end?.();
  return {
    planned: unique(plan.changes.map(({ target }) => target)),
    changed,
    calls: calls.map(kindOf).sort(),
    planAgain: unique(planAgain),
    changedAgain,
    verification,
    ended,
    ...undone,
    restored: restored.map((one, at) => ({ ...one, after: after[at] })),
    killed,
    undoKilled,
    rights,
  };
}

interface Placed {
  readonly namespace: string;
  readonly scene: Scene<unknown>;
}

async function sceneIn(row: AnyRow, world: World): Promise<Placed> {
  const namespace = await world.freshNamespace();
  return { namespace, scene: await row.scene(world.cluster, namespace) };
}

/** The scene as it was created: restored by the undo, or a new one if the action has none. */
async function again(row: AnyRow, world: World, first: Placed): Promise<Placed> {
  return row.implementation({ api: world.cluster.api, view: world.cluster.view, cellKey, evidence: world.evidence }).undo
    ? first
    : sceneIn(row, world);
}

const taking = { severity: 'critical', lease: { durationMs: 3_600_000, onExpiry: 'renew' } } as const;

/** As the chokepoint completes it. */
function fullPlan(
  { declaration: { name, effect, reach } }: AnyRow,
  input: unknown,
  planned: Awaited<ReturnType<Implementation['plan']>>,
): Plan {
  return { ...planned, action: name, effect, reach: planned.reach ?? reach, inputDigest: digestOf(input) };
}

/** Runs the undo through the chokepoint, as somebody who can only reach Temporal: another key, the same incident, and a step that failed. */
async function undoAsFailed({
  row,
  action,
  scene,
  context,
}: Pick<Parameters<typeof undoBoth>[0], 'row' | 'action' | 'scene' | 'context'>) {
  const { declaration, input } = row;
  const chokepoint = createChokepoint({ ...partsWithout, actions: [{ declaration, input, implementation: action }] });
  const key = `${context.key}-of-another`;
  const call = callOf(declaration.name, {
    key,
    input: scene.input,
    incident: { id: context.incident, run: context.run },
  });
  const namespace = context.incident.split('/')[2] ?? '';
  const came = (result: UndoResult): string =>
    result.state === 'drifted' && !result.difference.some((what) => what.includes(namespace))
      ? 'drifted elsewhere'
      : result.state;
  return chokepoint.undo({ call, reason: { kind: 'step-failed' } }, { ...context, key }).then(came, codeOf);
}

async function undoBoth(options: {
  readonly row: AnyRow;
  readonly plan: Plan;
  readonly action: Implementation;
  readonly undo: NonNullable<Implementation['undo']>;
  readonly scene: Scene<unknown>;
  readonly output: unknown;
  readonly context: StepContext;
  readonly take: () => readonly string[];
  readonly takeNotes: () => Promise<() => Promise<void>>;
}): Promise<Pick<Observations, 'drift' | 'robbed' | 'undo' | 'unallowed' | 'release' | 'asFailed'>> {
  const { undo, scene, plan, output, context, take } = options;
  const { input } = scene;
  const call = { input, output, key: context.key };
  const repair = await scene.drift?.();
  take();
  const refused = repair ? await undo(call, context) : undefined;
  const changed = take();
  await repair?.();
  const putBack = await options.takeNotes();
  take();
  const forgotten = await undo({ input, key: context.key, isForgotten: true }, context);
  const robbed = { result: forgotten, changed: take() };
  await putBack();
  take();
  const asFailed = { came: await undoAsFailed(options), changed: take() };
  const asked: ReleasedObject[] = [];
  const no: AllowRelease = async (notes) => {
    asked.push(...notes);
    throw new FirebreakError('FB_ERR_APPROVAL_INVALID', 'not like this');
  };
  await undo({ ...call, allow: no }, context).catch(() => undefined);
  const unallowed = { changed: take(), asked };
  const result = await undo(call, context);
  return {
    asFailed,
    robbed,
    unallowed,
    release: problemOfRelease(releasePlanOf(plan, context.key), asked),
    ...(refused && { drift: { result: refused, changed } }),
    undo: { result, again: await undo(call, context) },
  };
}

/** Dies before and after each change of the apply, and then of the undo, and resumes each time. */
async function killEverywhere(options: {
  readonly row: AnyRow;
  readonly world: World;
  readonly changes: number;
}): Promise<Pick<Observations, 'killed' | 'undoKilled'>> {
  const { row, world, changes } = options;
  const seen: { at: string; changed: readonly string[] }[] = [];
  const undone: Observations['undoKilled'][number][] = [];
  for (let n = 1; n <= changes; n += 1)
    for (const what of ['call', 'answer'] as const) {
      const placed = await sceneIn(row, world);
      const { namespace, scene } = placed;
      const kept = restorable(placed);
      const before = await contents(world.cluster, kept);
      const api = recorded(world.cluster.api);
      const action = row.implementation({ api, view: world.cluster.view, cellKey, evidence: world.evidence });
      const context = contextFor(namespace);
      api.loseAt(n, what);
      const death = await action.apply(scene.input, context).catch((error: unknown) => error);
      if (!(death instanceof Killed)) throw new Error(`it lives on after the ${what} ${n} was lost`, { cause: death });
      api.revive();
      const output = await action.apply(scene.input, context);
      await action.verify(output, context);
      // Compared by kind, because a new scene has other names.
      seen.push({ at: `${what} ${n}`, changed: api.take().map(kindOf).sort() });
      if (action.undo) {
        const call = { input: scene.input, output, key: context.key };
        api.loseAt(n, what);
        const end = await action.undo(call, context).catch((error: unknown) => error);
        api.revive();
        const { state } = await action.undo(call, context);
        const after = await settledContents(world.cluster, kept, before);
        undone.push({ at: `${what} ${n}`, died: end instanceof Killed, state, before, after });
      }
      await scene.end?.();
    }
  return { killed: seen, undoKilled: undone };
}

/** Runs the whole life of a step with exactly the declared rights, and then without each of them. */
async function tryRights(options: {
  readonly row: AnyRow;
  readonly world: World;
  readonly first: Placed;
}): Promise<Observations['rights']> {
  const { row, world, first } = options;
  const { cluster } = world;
  const { rights } = row.declaration;
  const { namespace } = first;
  const wanted = rights.flatMap(({ resource, verbs }) => verbs.map((verb) => [verb, resource] as const));
  const tried = wanted.filter(([verb, resource]) => row.unused?.[`${verb} ${resource}`] === undefined);
  const make = (name: string, given: typeof rights) =>
    accountWith({ admin: cluster, kubeconfig: world.kubeconfig, folder: world.folder, namespace, name, rights: given });
  const full = await make('enough', rights);
  const fewer = await Promise.all(
    tried.map(async ([verb, resource], at) => ({
      right: `${verb} ${resource}`,
      account: await make(`less-${at}`, without(rights, resource, verb)),
    })),
  );
  const parts = { view: cluster.view, cellKey, evidence: world.evidence };
  const admin = row.implementation({ ...parts, api: cluster.api });
  // A new binding takes a moment to take effect in the API server.
  await until(async () => (await knows(full.api, namespace, rights)) || undefined);
  const oneLess: Record<string, string> = {};
  for (const { right, account } of fewer) {
    const placed = await again(row, world, first);
    const { input } = placed.scene;
    const context = contextFor(placed.namespace);
    oneLess[right] = await wholeLife(row.implementation({ ...parts, api: account.api }), input, context);
    await admin.undo?.({ input, key: context.key }, context);
    if (placed !== first) await placed.scene.end?.();
  }
  const last = await again(row, world, first);
  const mine = row.implementation({ ...parts, api: full.api });
  const enough = await wholeLife(mine, last.scene.input, contextFor(last.namespace));
  if (last !== first) await last.scene.end?.();
  await Promise.all([full, ...fewer.map(({ account }) => account)].map((account) => account.remove()));
  return { enough, oneLess };
}

async function knows(
  api: ImplementationParts['api'],
  namespace: string,
  rights: AnyRow['declaration']['rights'],
): Promise<boolean> {
  const asked = rights.flatMap(({ apiGroup, resource, verbs }) =>
    verbs.map((verb) => {
      const [plural = '', subresource = ''] = resource.split('/');
      return { group: apiGroup, resource: plural, subresource, verb, namespace };
    }),
  );
  const answers = await Promise.all(
    asked.map((resourceAttributes) =>
      api.json<{ status: { allowed: boolean } }>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
        what: 'ask for our own rights',
      }),
    ),
  );
  return answers.every(({ status }) => status.allowed);
}

/** Returns `ok`, or the text of the refusal. */
export async function wholeLife(action: Implementation, input: unknown, context: StepContext): Promise<string> {
  try {
    await action.plan(input, context);
    await action.started(input, context);
    const output = await action.apply(input, context);
    await action.verify(output, context);
    await action.undo?.({ input, output, key: context.key }, context);
    return 'ok';
  } catch (error) {
    if (hasCode(error, 'FB_ERR_REFUSED', 'FB_ERR_API_REFUSED')) return error.detail;
    throw error;
  }
}

async function runningPods(cluster: TestCluster, namespace: string): Promise<readonly string[]> {
  return (await cluster.pods(namespace))
    .filter(({ status, metadata }) => status?.phase === 'Running' && !metadata?.deletionTimestamp)
    .map(({ metadata }) => metadata?.uid ?? '');
}

async function endedSince(
  runs: () => Promise<readonly string[]>,
  before: readonly string[],
  expected: boolean,
): Promise<readonly string[]> {
  const ended = async () => {
    const now = await runs();
    return before.filter((uid) => !now.includes(uid));
  };
  // Controllers take a moment: a declared end is waited for; otherwise one look after the step must do.
  if (!expected || before.length === 0) return ended();
  return until(async () => {
    const gone = await ended();
    return gone.length > 0 ? gone : undefined;
  });
}

export function contextFor(namespace: string): StepContext {
  const base = stepContext();
  return { ...base, incident: `incident/test/${namespace}/Deployment/cart`, signal: AbortSignal.timeout(120_000) };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}

function kindOf(target: string): string {
  return target.split('/')[0] ?? '';
}
