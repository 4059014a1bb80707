import type { UndoResult } from '../../core/action/action.ts';
import type { TargetName } from '../../core/action/plan.ts';
import type { CellKey } from '../../core/cluster/before-state.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';

/** What Firebreak has done to one object, according to the object itself, and what restoring it would change. */
export interface Containment {
  readonly target: TargetName;
  readonly uid: string;
  readonly action: string;
  readonly incident: string | undefined;
  readonly state: 'clear' | 'drifted' | 'none';
  /** `unknown`: no key was available to check it. */
  readonly authentic: 'yes' | 'no' | 'unknown';
  /** What prevents an exact restore. */
  readonly difference: readonly string[];
  /** `- …` is removed, `+ …` is restored; sorted. */
  readonly changes: readonly string[];
  /** The object's before-state; null if it cannot be read. */
  readonly before: unknown;
  /** What the release does not restore, because it is outside the cluster: people have to do it there. */
  readonly elsewhere?: string;
  /** Refused for a drifted object unless `force`, which needs a readable note of this object. */
  release(force: boolean): Promise<UndoResult>;
}

export interface FindOptions {
  readonly api: KubernetesApi;
  /** Absent: the whole cluster, including objects without a namespace. */
  readonly namespace?: string;
  readonly cellKey: CellKey | undefined;
}
