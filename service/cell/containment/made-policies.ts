import { allowingPolicies } from '../../../activities/actions/containment/allowing-policies.ts';
import { outsideText, podsOutside } from '../../../activities/actions/containment/outside-policies.ts';
import { Memory, type MemoryKeeper } from '../../../activities/memory/memory.ts';
import { blockEgress, isolateNamespace } from '../../../core/actions/index.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../../core/cluster/object-note.ts';
import { type PodRecord, type PolicyRecord, policyTarget, selects } from '../../../core/cluster/pod-record.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { isQuarantined } from '../../../integrations/kubernetes/policies/network-policies.ts';

/** A policy as the cell remembers it. */
export interface MadePolicy {
  readonly note: ObjectNote;
  readonly namespace: string;
  /** The policy as it was made, even if it was changed since. */
  readonly made: PolicyRecord;
  /** The problems when people were last told. */
  readonly problems: readonly string[];
}

/** A policy made by an action whose state differs from what was last reported. */
export interface ChangedPolicy {
  readonly incident: string;
  readonly step: string;
  /** `networkpolicy/namespace/name` */
  readonly object: string;
  readonly isGone: boolean;
  /** What is not in order; empty: it is as it was again. */
  readonly problems: readonly string[];
}

interface SeenNamespace {
  readonly namespace: string;
  /** Policies of Kubernetes and of network plugins. */
  readonly policies: readonly PolicyRecord[];
  readonly pods: () => Iterable<PodRecord>;
}

const makers = [isolateNamespace.name, blockEgress.name];
/** Longer than any plausible lease; a policy still in force is seen again at each start. */
const retentionMs = 90 * 86_400_000;

/**
 * Remembers which policies actions have made, as the watch shows them with the cell's own note, and reports what becomes of them: that one was changed or
 * removed, even while the cell was stopped, that another policy allows what it denies, or that a pod left its reach through other labels or its node's network.
 */
export class MadePolicies {
  readonly #cellKey: CellKey;
  readonly #known: Memory<MadePolicy>;
  /** Uids of the pods that each policy was seen to select. */
  readonly #selected = new Map<string, Set<string>>();

  constructor(cellKey: CellKey, keeper?: MemoryKeeper<MadePolicy>) {
    this.#cellKey = cellKey;
    this.#known = new Memory({ most: 10_000, retentionMs, keeper });
  }

  /** Namespaces that have such policies. */
  namespaces(): ReadonlySet<string> {
    return new Set([...this.#known.entries()].map(([, { namespace }]) => namespace));
  }

  /** Compares a namespace with what is known of its policies. `givenBack` says whether an incident is removing its own. */
  changes(seen: SeenNamespace, givenBack: (incident: string) => boolean): readonly ChangedPolicy[] {
    const { namespace, policies } = seen;
    const found = new Map(policies.map((policy) => [policyTarget(policy), policy]));
    const changes: ChangedPolicy[] = [];
    for (const [object, policy] of found) {
      const note = this.#known.get(object) ? undefined : this.#madeBy(object, policy);
      if (!note) continue;
      const known: MadePolicy = { note, namespace, made: policy, problems: [] };
      // Policies that already allowed something are in the step's own check.
      const problems = this.#problemsOf(object, { seen, policy, known }).filter((one) => one !== wasChanged);
      this.#known.set(object, { ...known, problems });
    }
    for (const [object, known] of [...this.#known.entries()]) {
      if (known.namespace !== namespace) continue;
      const { incident, step } = known.note;
      const policy = found.get(object);
      if (!policy) this.#forget(object);
      if (!policy && givenBack(incident)) continue;
      const problems = policy ? this.#problemsOf(object, { seen, policy, known }) : [];
      if (policy && problems.join('\n') === known.problems.join('\n')) continue;
      changes.push({ incident, step, object, isGone: !policy, problems });
    }
    return changes;
  }

  /** Records that people were told; until then it counts as a change at each look. */
  told(object: string, problems: readonly string[]): void {
    const known = this.#known.get(object);
    if (known) this.#known.set(object, { ...known, problems });
  }

  /** Existing policies with their problems. */
  *current(): Generator<{ readonly note: ObjectNote; readonly problems: readonly string[] }> {
    for (const [, { note, problems }] of this.#known.entries()) yield { note, problems };
  }

  #forget(object: string): void {
    this.#known.delete(object);
    this.#selected.delete(object);
  }

  #problemsOf(
    object: string,
    of: { readonly seen: SeenNamespace; readonly policy: PolicyRecord; readonly known: MadePolicy },
  ): readonly string[] {
    const selected = this.#selected.get(object) ?? new Set();
    this.#selected.set(object, selected);
    return problemsOf({ ...of, selected });
  }

  #madeBy(object: string, { made }: PolicyRecord): ObjectNote | undefined {
    for (const action of makers) {
      const text = made?.notes[noteAnnotation(action)];
      const opened = openNote({ text, action, object, uid: made?.uid ?? '', key: this.#cellKey });
      if (opened.kind === 'read' && opened.authentic === 'yes') return opened.note;
    }
    return undefined;
  }
}

const wasChanged = 'it was changed';

function problemsOf(of: {
  readonly seen: SeenNamespace;
  readonly policy: PolicyRecord;
  readonly known: MadePolicy;
  readonly selected: Set<string>;
}): readonly string[] {
  const { seen, policy, known, selected } = of;
  const { policies, pods } = seen;
  const { action, change } = known.note;
  const { made } = known;
  const isMade = change.kind === 'made';
  const isAsMade = isMade && change.digest === policy.made?.digest;
  const denies = isMade ? change.denies : undefined;
  const all = [...pods()];
  const free = all.filter(({ labels }) => !isQuarantined(labels));
  for (const { uid, labels } of free) if (selects(made.selector, labels)) selected.add(uid);
  const escaped = free.filter(({ uid, labels }) => selected.has(uid) && !selects(made.selector, labels));
  return [
    ...(isAsMade ? [] : [wasChanged]),
    ...allowingPolicies({ action, made, denies, policies, pods: free }).map(
      (one) => `${policyTarget(one)} allows what it denies`,
    ),
    ...podsOutside(all, made.selector).map((pod) => `${pod} ${outsideText}`),
    ...escaped
      .map(({ namespace, name }) => `the labels of pod/${namespace}/${name} have changed, and the policy no longer selects it`)
      .sort(),
  ];
}
