import type { StepResult } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Caller } from './caller.ts';
import { lasts, type StepOrder } from './step-calls.ts';

type Run = (order: StepOrder) => Promise<StepResult>;

/**
 * One answer may settle what several bodies asked. It approves one step: that of the body whose plan people were shown, which is all that the cell accepts it
 * for. Whichever body comes first has that step run, and the others get its result, or join what it put in force.
 */
export class ApprovedTogether {
  readonly #model: IncidentModel;
  readonly #steps = new Map<string, Promise<StepResult>>();
  /** How often each body has ordered each step. */
  readonly #orders = new Map<string, number>();

  constructor({ model }: { readonly model: IncidentModel }) {
    this.#model = model;
  }

  run(order: StepOrder, run: Run): Promise<StepResult> {
    const { approval } = order;
    const [first] = approval ? (this.#model.answeredTogether.get(approval.question.id) ?? []) : [];
    // The very same promise: an extra one would reorder the body's commands.
    return approval && first ? this.#once(order, first, `${approval.question.id} ${approval.choice}`, run) : run(order);
  }

  async #once(order: StepOrder, first: Caller, approval: string, run: Run): Promise<StepResult> {
    const { caller, declaration, input } = order;
    const step = `${approval} ${declaration.name} ${digestOf(input)}`;
    const mine = `${step} ${caller.playbook} ${caller.subjectKey}`;
    const nth = this.#orders.get(mine) ?? 0;
    this.#orders.set(mine, nth + 1);
    const key = `${step} ${nth}`;
    const begun = this.#steps.get(key);
    const result = begun ?? run({ ...order, caller: first });
    this.#steps.set(key, result);
    const isItsOwn = begun === undefined && caller.playbook === first.playbook && caller.subjectKey === first.subjectKey;
    const done = await result;
    return isItsOwn || !lasts(declaration) ? done : run(order);
  }
}
