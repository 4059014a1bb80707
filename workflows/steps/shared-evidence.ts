import type { StepResult } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { IncidentModel } from '../incident/model.ts';
import { nowMs } from '../world.ts';
import type { StepOrder } from './step-calls.ts';
import { targetText } from './step-data.ts';

/** Evidence that was started longer ago may show something else by now, unless it is still being stored. */
const sharedForMs = 30_000;

interface StoredEvidence {
  readonly caller: StepOrder['caller'];
  readonly startedAt: number;
  /** Undefined once the step has ended. */
  running: true | undefined;
  readonly result: Promise<StepResult>;
}

/**
 * An attack sets off several rules within seconds, so several playbooks often ask for the same evidence of one pod. The first one stores it, and the others get
 * its result. A body that asks again itself gets new evidence.
 */
export class SharedEvidence {
  readonly #model: IncidentModel;
  readonly #stored = new Map<string, StoredEvidence>();

  constructor({ model }: { readonly model: IncidentModel }) {
    this.#model = model;
  }

  /** Runs a step that stores evidence with `go`, unless another body has just stored this evidence, or is storing it. If that one fails, runs it all the same. */
  async run(order: StepOrder, go: () => Promise<StepResult>): Promise<StepResult> {
    if (order.approval) return go();
    const key = `${order.declaration.name} ${digestOf(order.input)}`;
    const earlier = this.#stored.get(key);
    const joined = earlier && this.#isShared(earlier, order) ? await earlier.result.catch(() => undefined) : undefined;
    if (earlier && joined) return this.#joined(order, earlier, joined);
    const result = go();
    const { caller } = order;
    const stored: StoredEvidence = { caller, startedAt: nowMs(), running: true, result };
    this.#stored.set(key, stored);
    const ended = (): void => {
      stored.running = undefined;
    };
    void result.then(ended, ended);
    return result;
  }

  #isShared({ caller, running, startedAt }: StoredEvidence, order: StepOrder): boolean {
    const isOwn = caller.playbook === order.caller.playbook && caller.subjectKey === order.caller.subjectKey;
    return !isOwn && (running === true || nowMs() - startedAt < sharedForMs);
  }

  #joined({ caller, declaration, input }: StepOrder, earlier: StoredEvidence, result: StepResult): StepResult {
    const text = `${declaration.title}: ${targetText(input)}: already done for ${earlier.caller.playbook}: joined`;
    this.#model.record('step.joined', `playbook/${caller.playbook}`, text, { step: result.key });
    return result;
  }
}
