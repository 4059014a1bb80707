import { blockEgress, isolateNamespace } from '../../core/actions/index.ts';
import { noteAnnotation, type ObjectNote, openNote } from '../../core/cluster/object-note.ts';
import type { PolicyRecord } from '../../core/cluster/pod-record.ts';
import type { CellKey } from '../../core/messages/sealed.ts';

interface MadePolicy {
  readonly incident: string;
  readonly specDigest: string;
  readonly note: ObjectNote;
}

/** A policy that an action made, and that is no longer as it made it. */
export interface ChangedPolicy {
  readonly incident: string;
  readonly step: string;
  /** `networkpolicy/namespace/name` */
  readonly object: string;
  readonly what: 'is gone' | 'was changed' | 'is as it was again';
}

const makers = [isolateNamespace.name, blockEgress.name];

/** Remembers which policies actions have made, as the watch shows them with the cell's own note, and tells what becomes of them. */
export class MadePolicies {
  readonly #cellKey: CellKey;
  readonly #known = new Map<string, MadePolicy>();
  readonly #told = new Map<string, ChangedPolicy['what']>();

  constructor(cellKey: CellKey) {
    this.#cellKey = cellKey;
  }

  /** Compares the policies of a namespace with what is known of them. `givenBack` are incidents that are taking theirs away. */
  changes(
    namespace: string,
    policies: readonly PolicyRecord[],
    givenBack: (incident: string) => boolean,
  ): readonly ChangedPolicy[] {
    const found = new Map(policies.map((policy) => [`networkpolicy/${namespace}/${policy.name}`, policy]));
    for (const [object, policy] of found) {
      const note = this.#madeBy(object, policy);
      if (note && !this.#known.has(object))
        this.#known.set(object, { incident: note.incident, specDigest: policy.specDigest, note });
    }
    return [...this.#known].flatMap(([object, { incident, specDigest, note }]): readonly ChangedPolicy[] => {
      if (!object.startsWith(`networkpolicy/${namespace}/`)) return [];
      const policy = found.get(object);
      if (!policy) this.#known.delete(object);
      if (!policy && givenBack(incident)) return [];
      const what = !policy ? 'is gone' : policy.specDigest === specDigest ? 'is as it was again' : 'was changed';
      const before = this.#told.get(object) ?? 'is as it was again';
      this.#told.set(object, what);
      if (!policy) this.#told.delete(object);
      return what === before ? [] : [{ incident, step: note.step, object, what }];
    });
  }

  /** Those that are there, with what is not as it should be. */
  *current(): Generator<{ readonly note: ObjectNote; readonly problems: readonly string[] }> {
    for (const [object, { note }] of this.#known)
      yield { note, problems: this.#told.get(object) === 'was changed' ? [`${object} was changed`] : [] };
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
