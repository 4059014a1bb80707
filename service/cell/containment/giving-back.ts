import type { CellActivities, UndoReason } from '../../../core/action/step.ts';
import { actions, blockEgress, isolateNamespace, quarantinePod, quarantineWorkload } from '../../../core/actions/index.ts';

interface UndoListener {
  /** An undo has been done, whatever it found. */
  readonly given: (incident: string, reason: UndoReason) => void;
  /** It has ended, also where it failed. */
  readonly over: (incident: string) => void;
}

/** What denies by label or by policy, or holds an object: while one of them is given back, that is no change by somebody else. */
const denying: ReadonlySet<string> = new Set([
  ...[quarantinePod, quarantineWorkload, isolateNamespace, blockEgress].map(({ name }) => name),
  ...actions.filter(({ holds }) => holds !== undefined).map(({ name }) => name),
]);

/** What the cell itself gives back at this moment. What is seen of it meanwhile may be half of it. */
export class GivingBack {
  /** By incident, how many undos of its containments are underway. */
  readonly #underway = new Map<string, number>();
  #begun = 0;

  /** How many undos have begun. */
  get begun(): number {
    return this.#begun;
  }

  isUnderway(incident: string): boolean {
    return this.#underway.has(incident);
  }

  /** The cell's activities: what they give back is not taken again. */
  around(activities: CellActivities, { given, over }: UndoListener): CellActivities {
    return {
      ...activities,
      undoStep: async (undo) => {
        if (!denying.has(undo.call.action)) return activities.undoStep(undo);
        const { id } = undo.call.incident;
        this.#begun += 1;
        this.#underway.set(id, (this.#underway.get(id) ?? 0) + 1);
        try {
          const result = await activities.undoStep(undo);
          given(id, undo.reason);
          return result;
        } finally {
          const others = (this.#underway.get(id) ?? 1) - 1;
          if (others > 0) this.#underway.set(id, others);
          else this.#underway.delete(id);
          over(id);
        }
      },
    };
  }
}
