import { type Duration, durationMs } from '../../core/playbook/duration.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition } from '../world.ts';
import type { StepOrder } from './step-calls.ts';

/**
 * What contains waits for the evidence that the same body has begun, where its playbook says so: a cut can make malware delete itself. It waits no
 * longer than it says, and for nothing that has failed.
 */
export class EvidenceFirst {
  readonly #model: IncidentModel;
  readonly #withinMs: number | undefined;
  /** Steps of this body that look and keep, and are not over. */
  #keeping = 0;

  constructor({ model, within }: { readonly model: IncidentModel; readonly within: Duration | undefined }) {
    this.#model = model;
    this.#withinMs = within === undefined ? undefined : durationMs(within);
  }

  run({ declaration }: StepOrder, go: () => Promise<StepResult>): Promise<StepResult> {
    if (this.#withinMs === undefined) return go();
    if (declaration.contains === true) return this.#after(this.#withinMs).then(go);
    return declaration.effect === 'read' && declaration.pool !== 'desk' ? this.#counted(go()) : go();
  }

  async #counted(step: Promise<StepResult>): Promise<StepResult> {
    this.#keeping += 1;
    try {
      return await step;
    } finally {
      this.#keeping -= 1;
    }
  }

  async #after(withinMs: number): Promise<void> {
    // What the body begins in the same breath counts, in whatever order it is written.
    await Promise.resolve();
    if (await condition(() => this.#keeping === 0, withinMs)) return;
    this.#model.record(
      'evidence.late',
      'engine',
      `the evidence is not kept after ${withinMs / 1_000} s: containment waits no longer`,
    );
  }
}
