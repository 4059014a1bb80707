import type { UndoResult } from '../../core/action/action.ts';
import type { TargetName } from '../../core/action/plan.ts';
import type { CellKey } from '../../core/cluster/before-state.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';

/** What Firebreak has done to one object, as the object itself tells, and what giving it back would change. */
export interface Containment {
  readonly target: TargetName;
  readonly uid: string;
  readonly action: string;
  readonly incident: string | undefined;
  readonly state: 'clear' | 'drifted' | 'none';
  /** `unknown`: there was no key to tell. */
  readonly authentic: 'yes' | 'no' | 'unknown';
  /** What stands in the way of giving it back exactly. */
  readonly difference: readonly string[];
  /** `- …` goes, `+ …` comes back; sorted. */
  readonly changes: readonly string[];
  /** What it was before; null where that cannot be read. */
  readonly before: unknown;
  /** What the release does not give back, since it is not in the cluster: people have to do it where it is. */
  readonly elsewhere?: string;
  /** A drifted one is refused unless `force`, which needs a note of this object that can be read. */
  release(force: boolean): Promise<UndoResult>;
}

export interface FindOptions {
  readonly api: KubernetesApi;
  /** Absent: the whole cluster, with what is in no namespace. */
  readonly namespace?: string;
  readonly cellKey: CellKey | undefined;
}
