import type { Verification } from '../../core/action/action.ts';
import type { Lease } from '../../core/incident/lease.ts';
import { stepActivities, stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';

/** Maximum number of steps checked for one change. */
const mostAtOnce = 20;

/** Whether the cell notices when somebody changes the result of this action. */
function canBeChanged(action: string): boolean {
  const { contains, holds } = declarationOf(action);
  return contains === true || holds !== undefined;
}

/**
 * Checks containment again when somebody has changed it: the cell reads back its state, and steps, cards and records show it. One check at a time, however many
 * changes come meanwhile.
 */
export class ContainmentChecks {
  readonly #model: IncidentModel;
  readonly #changed: () => void;
  #looking = false;
  #again = false;

  constructor(model: IncidentModel, changed: () => void) {
    this.#model = model;
    this.#changed = changed;
  }

  lookAgain(): void {
    this.#again = true;
    if (!this.#looking) void this.#model.during(this.#look());
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#again) {
      this.#again = false;
      const held = this.#model.activeLeases.filter(({ state, action }) => state === 'active' && canBeChanged(action));
      await Promise.all(held.slice(0, mostAtOnce).map((lease) => this.#check(lease)));
    }
    this.#looking = false;
  }

  async #check({ id, action, stepKey, target }: Lease): Promise<void> {
    const holding = this.#model.holdings.get(id);
    // A step still in progress is checked when it ends.
    if (!holding || this.#model.steps.get(stepKey)?.state === 'running') return;
    const verification = await stepActivities(this.#model.settings, declarationOf(action), this.#model.priority)
      .verifyStep({ call: holding.call, output: holding.output })
      .catch((error): Verification | { readonly state: 'drifted'; readonly detail: string } => {
        const { code, message } = stepFailure(error);
        return { state: code === 'FB_ERR_DRIFTED' ? 'drifted' : 'unverified', detail: message };
      });
    const step = this.#model.steps.get(stepKey);
    if (!step || this.#model.leases.get(id)?.state !== 'active') return;
    const { verification: _, ...others } = step;
    const { state, detail } = verification;
    this.#model.steps.set(stepKey, { ...others, state, detail, ...(verification.state !== 'drifted' && { verification }) });
    this.#model.record('step.checked', 'engine', `${action} on ${target.name}: ${state} (${detail})`, {
      step: stepKey,
      verification,
    });
    this.#changed();
  }
}
