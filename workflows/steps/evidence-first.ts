import { type Duration, durationMs } from '../../core/playbook/duration.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition } from '../world.ts';
import type { StepOrder } from './step-calls.ts';

/**
 * A containment waits for evidence that the same body has begun to collect, if its playbook says so: a cut can make malware delete itself. It waits no longer
 * than specified, and not for a collection that has failed.
 */
export class EvidenceFirst {
  readonly #model: IncidentModel;
  readonly #withinMs: number | undefined;
  /** Evidence steps of this body still in progress. */
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
    // Evidence steps that the body begins in the same turn count, in whatever order they are written.
    await Promise.resolve();
    if (await condition(() => this.#keeping === 0, withinMs)) return;
    this.#model.record(
      'evidence.late',
      'engine',
      `no evidence was kept within ${withinMs / 1_000} s: containment no longer waits`,
    );
  }
}
