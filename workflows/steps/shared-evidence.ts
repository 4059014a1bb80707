import type { StepResult } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { IncidentModel } from '../incident/model.ts';
import { nowMs } from '../world.ts';
import type { StepOrder } from './step-calls.ts';
import { targetText } from './step-data.ts';

/** Evidence that was started longer ago may no longer show what is there now. */
const sharedForMs = 5_000;

interface StoredEvidence {
  readonly caller: StepOrder['caller'];
  readonly startedAt: number;
  readonly result: Promise<StepResult>;
}

/**
 * Several playbooks that answer the same alerts often ask for the same evidence of one pod. The first one stores it, and the others get its result. A body that
 * asks again itself gets new evidence, and so does a body that started later: evidence from before its alert does not show what that alert is about, and an
 * attacker chooses the moment of both.
 */
export class SharedEvidence {
  readonly #model: IncidentModel;
  readonly #stored = new Map<string, StoredEvidence>();

  constructor({ model }: { readonly model: IncidentModel }) {
    this.#model = model;
  }

  /** Runs a step that stores evidence with `go`, unless another body has just started to store it. If that one fails, runs it all the same. */
  async run(order: StepOrder, go: () => Promise<StepResult>): Promise<StepResult> {
    if (order.approval) return go();
    const key = `${order.declaration.name} ${digestOf(order.input)}`;
    const earlier = this.#stored.get(key);
    const joined = earlier && this.#isShared(earlier, order) ? await earlier.result.catch(() => undefined) : undefined;
    if (earlier && joined) return this.#joined(order, earlier, joined);
    const result = go();
    this.#stored.set(key, { caller: order.caller, startedAt: nowMs(), result });
    return result;
  }

  #isShared({ caller, startedAt }: StoredEvidence, { caller: asking }: StepOrder): boolean {
    const isOwn = caller.playbook === asking.playbook && caller.subjectKey === asking.subjectKey;
    const knewItsAlert = asking.startedAt !== undefined && asking.startedAt <= startedAt;
    return !isOwn && knewItsAlert && nowMs() - startedAt < sharedForMs;
  }

  #joined({ caller, declaration, input }: StepOrder, earlier: StoredEvidence, result: StepResult): StepResult {
    const text = `${declaration.title}: ${targetText(input)}: already done for ${earlier.caller.playbook}: joined`;
    this.#model.record('step.joined', `playbook/${caller.playbook}`, text, { step: result.key });
    return result;
  }
}
