import { digestOf } from '../text/digest.ts';

/**
 * `read` changes nothing that runs (what evidence leaves in the cluster is in its plan), `reversible` has an exact undo. Anything that ends a running container
 * is `destructive`.
 */
export type Effect = 'read' | 'reversible' | 'destructive';

/** How wide a step acts. Only reversible steps with reach `pod` and within the caps are automatic. */
export type Reach = 'pod' | 'workload' | 'namespace' | 'node' | 'cluster' | 'outside';

/** `kind/namespace/name`, as shown to people and in the blast radius. */
export type TargetName = string;

export interface Change {
  readonly target: TargetName;
  /** One sentence in the present tense: `replaces all labels by firebreak.dev/quarantine`. */
  readonly what: string;
}

/**
 * What a step would change, before it changes it. A person approves its digest, so it must contain only what identifies the change: nothing that changes by
 * itself (no resourceVersion, no age, no readiness).
 */
export interface Plan<Action extends string = string> {
  readonly action: Action;
  readonly effect: Effect;
  readonly reach: Reach;
  /** It releases containment: a release is a decision too. */
  readonly weakens?: true;
  /** Only of the release of a pod: for a time, any alert about it cuts it off again. See `isObservedRelease`. */
  readonly observed?: true;
  /** This change window is closed: one more person than usual must agree. */
  readonly outsideWindow?: string;
  /** The one object that the step is about, with its uid at the time. */
  readonly target: { readonly name: TargetName; readonly uid?: string };
  /** Whose evidence has to be kept beforehand, if not the target's. */
  readonly evidenceOf?: { readonly name: TargetName; readonly uid: string };
  readonly changes: readonly Change[];
  /** Everything that the step would touch, sorted, without duplicates. */
  readonly blastRadius: readonly TargetName[];
  /** What the reader must know: `partial`, limits, consequences. Part of the digest: people read and approve it. */
  readonly notes: readonly string[];
  /** What such a step would be expected to change too, but leaves as it is: the notes say why. Absent: nothing. */
  readonly except?: readonly TargetName[];
  /** Digest of the step's input. */
  readonly inputDigest: string;
}

/** How long a pod that was released under observation is cut off again by any alert about it. */
export const observedForMs = 24 * 3_600_000;

/** Whether a plan releases a pod under observation: one person may, since the cell takes it back by itself. */
export function isObservedRelease({ action, observed }: Pick<Plan, 'action' | 'observed'>): boolean {
  return observed === true && action === 'undo:quarantinePod';
}

/** What an approval is bound to. */
export function planDigest(plan: Plan): string {
  return digestOf(plan);
}

/** Everything that a plan names. */
function namesIn(plan: Plan): readonly string[] {
  return [...plan.blastRadius, plan.target.name, ...plan.changes.map((change) => change.target)];
}

/** Nodes that a plan touches, by name. */
export function nodesOf(plan: Plan): readonly string[] {
  return [...new Set(namesIn(plan).flatMap((name) => (name.startsWith('node/') ? [name.slice('node/'.length)] : [])))];
}

/** Namespaces that a plan touches, from all names in it: `kind/namespace/name`, and `namespace/name` itself. */
export function namespacesOf(plan: Plan): readonly string[] {
  const found = new Set<string>();
  for (const name of namesIn(plan)) {
    const kindEnd = name.indexOf('/');
    if (kindEnd === -1) continue;
    const firstEnd = name.indexOf('/', kindEnd + 1);
    if (firstEnd !== -1) found.add(name.slice(kindEnd + 1, firstEnd));
    else if (name.slice(0, kindEnd).toLowerCase() === 'namespace') found.add(name.slice(kindEnd + 1));
  }
  return [...found];
}
