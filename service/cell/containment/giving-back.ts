import type { CellActivities, UndoReason } from '../../../core/action/step.ts';
import { actions, blockEgress, isolateNamespace, quarantinePod, quarantineWorkload } from '../../../core/actions/index.ts';

interface UndoListener {
  /** Called when an undo has been done, whatever it found. */
  readonly given: (incident: string, reason: UndoReason) => void;
  /** Called when it has ended, even if it failed. */
  readonly over: (incident: string) => void;
}

/** Actions that deny by label or policy, or hold an object: changes seen during their undo are not somebody else's. */
const denying: ReadonlySet<string> = new Set([
  ...[quarantinePod, quarantineWorkload, isolateNamespace, blockEgress].map(({ name }) => name),
  ...actions.filter(({ holds }) => holds !== undefined).map(({ name }) => name),
]);

/** Tracks what the cell itself is releasing right now. Anything seen meanwhile may be half-done. */
export class GivingBack {
  /** Number of undos in progress, by incident. */
  readonly #underway = new Map<string, number>();
  #begun = 0;

  /** Number of undos begun so far. */
  get begun(): number {
    return this.#begun;
  }

  isUnderway(incident: string): boolean {
    return this.#underway.has(incident);
  }

  /** Wraps the cell's activities so that what they release is not contained again. */
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
