import { allowingPolicies } from '../../activities/actions/containment/allowing-policies.ts';
import { outsideText, podsOutside } from '../../activities/actions/containment/outside-policies.ts';
import { blockEgress, isolateNamespace } from '../../core/actions/index.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../core/cluster/object-note.ts';
import { type PodRecord, type PolicyRecord, policyTarget, selects } from '../../core/cluster/pod-record.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import { isQuarantined } from '../../integrations/kubernetes/policies/network-policies.ts';

interface MadePolicy {
  readonly note: ObjectNote;
  readonly namespace: string;
  /** As it was made: also where it was changed since. */
  readonly made: PolicyRecord;
  /** Uids of pods that it was seen to select. */
  readonly selected: Set<string>;
  /** What was not as it should be when people were last told. */
  problems: readonly string[];
}

/** A policy that an action made, of which something else is to be told than before. */
export interface ChangedPolicy {
  readonly incident: string;
  readonly step: string;
  /** `networkpolicy/namespace/name` */
  readonly object: string;
  readonly isGone: boolean;
  /** What of it is not as it should be; none: it is as it was again. */
  readonly problems: readonly string[];
}

interface SeenNamespace {
  readonly namespace: string;
  /** Of Kubernetes, and of network plugins. */
  readonly policies: readonly PolicyRecord[];
  readonly pods: () => Iterable<PodRecord>;
}

const makers = [isolateNamespace.name, blockEgress.name];

/**
 * Remembers which policies actions have made, as the watch shows them with the cell's own note, and tells what becomes of them: that one was changed
 * or taken away, that another one allows what it denies, and that a pod got out of its reach by other labels or by the network of its node.
 */
export class MadePolicies {
  readonly #cellKey: CellKey;
  readonly #known = new Map<string, MadePolicy>();

  constructor(cellKey: CellKey) {
    this.#cellKey = cellKey;
  }

  /** Where there are some. */
  namespaces(): ReadonlySet<string> {
    return new Set([...this.#known.values()].map(({ namespace }) => namespace));
  }

  /** Compares a namespace with what is known of its policies. `givenBack` are incidents that are taking theirs away. */
  changes(seen: SeenNamespace, givenBack: (incident: string) => boolean): readonly ChangedPolicy[] {
    const { namespace, policies } = seen;
    const found = new Map(policies.map((policy) => [policyTarget(policy), policy]));
    const changes: ChangedPolicy[] = [];
    for (const [object, policy] of found) {
      const note = this.#known.has(object) ? undefined : this.#madeBy(object, policy);
      if (!note) continue;
      const known: MadePolicy = { note, namespace, made: policy, selected: new Set(), problems: [] };
      this.#known.set(object, known);
      // What allowed something already is in its step's own check.
      known.problems = problemsOf(seen, policy, known).filter((one) => one !== wasChanged);
    }
    for (const [object, known] of this.#known) {
      if (known.namespace !== namespace) continue;
      const { incident, step } = known.note;
      const policy = found.get(object);
      if (!policy) this.#known.delete(object);
      if (!policy && givenBack(incident)) continue;
      const problems = policy ? problemsOf(seen, policy, known) : [];
      if (policy && problems.join('\n') === known.problems.join('\n')) continue;
      changes.push({ incident, step, object, isGone: !policy, problems });
    }
    return changes;
  }

  /** People were told this of it; until then it is a change at each look. */
  told(object: string, problems: readonly string[]): void {
    const known = this.#known.get(object);
    if (known) known.problems = problems;
  }

  /** Those that are there, with what is not as it should be. */
  *current(): Generator<{ readonly note: ObjectNote; readonly problems: readonly string[] }> {
    for (const { note, problems } of this.#known.values()) yield { note, problems };
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

function problemsOf({ policies, pods }: SeenNamespace, policy: PolicyRecord, known: MadePolicy): readonly string[] {
  const { note, made, selected } = known;
  const isAsMade = note.change.kind === 'made' && note.change.digest === policy.made?.digest;
  const all = [...pods()];
  const free = all.filter(({ labels }) => !isQuarantined(labels));
  for (const { uid, labels } of free) if (selects(made.selector, labels)) selected.add(uid);
  const escaped = free.filter(({ uid, labels }) => selected.has(uid) && !selects(made.selector, labels));
  return [
    ...(isAsMade ? [] : [wasChanged]),
    ...allowingPolicies({ action: note.action, made, policies, pods: free }).map(
      (one) => `${policyTarget(one)} allows what it denies`,
    ),
    ...podsOutside(all, made.selector).map((pod) => `${pod} ${outsideText}`),
    ...escaped
      .map(({ namespace, name }) => `pod/${namespace}/${name} has other labels now, and it does not select it any more`)
      .sort(),
  ];
}
