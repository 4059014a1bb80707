import type { RegisteredAction } from '../../../activities/chokepoint/parts.ts';
import type { ActionImplementation } from '../../../core/action/action.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import type { ObjectRef } from '../../../integrations/kubernetes/objects.ts';
import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';
import type { openCluster } from '../kubernetes/parts/cluster.ts';
import type { folderEvidence } from '../kubernetes/parts/evidence.ts';

export type TestCluster = Awaited<ReturnType<typeof openCluster>>;

/** What an implementation is created from, in the tests as in the service. */
export interface ImplementationParts {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly cellKey: Uint8Array;
  readonly evidence: Awaited<ReturnType<typeof folderEvidence>>;
}

/** A scene on which an action is tested. */
export interface Scene<Input> {
  readonly input: Input;
  /** Objects that it changes or creates: compared before and after, byte for byte. */
  readonly objects: readonly ObjectRef[];
  /**
   * Kinds of which the step creates objects under names of its own: all objects of these kinds in the scene are compared before the step and after its undo.
   */
  readonly makes?: readonly Omit<ObjectRef, 'name'>[];
  /** Changes by hand what the step left, so that its undo must refuse; resolves to a function that repairs it. Absent if there is no undo. */
  readonly drift?: () => Promise<() => Promise<void>>;
  /** Names of what runs now, if a step ends less than a pod: names that are gone afterwards were ended. */
  readonly running?: () => Promise<readonly string[]>;
  /** Removes what the scene created outside its namespace. */
  readonly end?: () => Promise<void>;
}

/** An action with the scene on which all rules are tested. */
export interface Row<Input, Output> extends Omit<RegisteredAction<Input, Output>, 'implementation'> {
  readonly implementation: (parts: ImplementationParts) => ActionImplementation<Input, Output>;
  readonly scene: (cluster: TestCluster, namespace: string) => Promise<Scene<Input>>;
  /** It ends something that runs, but its other changes can be undone. */
  readonly undoes?: true;
  /** What `verify` reports on this scene. */
  readonly verification: 'applied' | 'verified' | 'unverified' | 'partial';
  /** `verb resource` of declared rights that this scene does not use, and why. */
  readonly unused?: Readonly<Record<string, string>>;
}

export type AnyRow = Row<unknown, unknown>;

/** Adds a typed row to the table, as `register` does in the service. */
export function row<Input, Output>(typed: Row<Input, Output>): AnyRow {
  return typed as unknown as AnyRow;
}

/** Changes an object by hand; the repair restores exactly this field. */
export async function change(cluster: TestCluster, ref: ObjectRef, patch: object, repair: object): Promise<() => Promise<void>> {
  const by = async (body: object): Promise<void> => {
    await cluster.api.json({ method: 'PATCH', patch: 'merge', path: pathOf(ref), body, what: 'change by hand' });
  };
  await by(patch);
  return () => by(repair);
}

/** For `unused`: rights that the watch uses to restore held objects, and that no step itself needs. */
export function forTheWatch(
  { holds = [] }: Pick<AnyRow['declaration'], 'holds'>,
  verbs: readonly string[] = ['list', 'watch'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    holds.flatMap(({ resource }) => verbs.map((verb) => [`${verb} ${resource}`, 'the watch of what it holds uses it'] as const)),
  );
}
