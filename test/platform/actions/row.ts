import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import type { ActionImplementation } from '../../../core/action/action.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectRef } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { openCluster } from '../kubernetes/parts/cluster.ts';
import type { folderEvidence } from '../kubernetes/parts/evidence.ts';

export type TestCluster = Awaited<ReturnType<typeof openCluster>>;

/** What an implementation is made of, in the tests as in the service. */
export interface ImplementationParts {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly cellKey: Uint8Array;
  readonly evidence: Awaited<ReturnType<typeof folderEvidence>>;
}

/** One scene on which an action is tried. */
export interface Scene<Input> {
  readonly input: Input;
  /** What it changes, or makes: compared before and after, byte for byte. */
  readonly objects: readonly ObjectRef[];
  /** Kinds of which the step makes objects under names of its own: what there is of them in the scene is compared before and after its undo. */
  readonly makes?: readonly Omit<ObjectRef, 'name'>[];
  /** Changes by hand what the step left, so that its undo must refuse; gives back what puts that right. Absent where there is no undo. */
  readonly drift?: () => Promise<() => Promise<void>>;
  /** Names of what runs now, where a step ends less than a pod: what is gone afterwards was ended. */
  readonly running?: () => Promise<readonly string[]>;
  /** Removes what the scene has outside its namespace. */
  readonly end?: () => Promise<void>;
}

/** One action with the scene on which all rules are tried. */
export interface Row<Input, Output> extends Omit<RegisteredAction<Input, Output>, 'implementation'> {
  readonly implementation: (parts: ImplementationParts) => ActionImplementation<Input, Output>;
  readonly scene: (cluster: TestCluster, namespace: string) => Promise<Scene<Input>>;
  /** It ends what runs, and what else it changes can be given back all the same. */
  readonly undoes?: true;
  /** What `verify` says on this scene. */
  readonly verification: 'applied' | 'verified' | 'unverified' | 'partial';
  /** `verb resource` of declared rights that this scene does not come to use, and why. */
  readonly unused?: Readonly<Record<string, string>>;
}

export type AnyRow = Row<unknown, unknown>;

/** Where a typed row joins the table, as `register` in the service does it. */
export function row<Input, Output>(typed: Row<Input, Output>): AnyRow {
  return typed as unknown as AnyRow;
}

/** Changes an object by hand; the repair puts exactly this field back. */
export async function change(cluster: TestCluster, ref: ObjectRef, patch: object, repair: object): Promise<() => Promise<void>> {
  const by = async (body: object): Promise<void> => {
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path: pathOf(ref), body, what: 'change by hand' });
  };
  await by(patch);
  return () => by(repair);
}

/** For `unused`: rights with which the watch brings changes of what is held, and that no step needs itself. */
export function forTheWatch(
  { holds = [] }: Pick<AnyRow['declaration'], 'holds'>,
  verbs: readonly string[] = ['list', 'watch'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    holds.flatMap(({ resource }) => verbs.map((verb) => [`${verb} ${resource}`, 'the watch of what it holds uses it'] as const)),
  );
}
