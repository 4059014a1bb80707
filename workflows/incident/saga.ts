import { releasePlanOf } from '../../core/action/release-plan.ts';
import { heldText } from '../../core/cards/card-words.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { levelsOf, type StepResult } from '../../core/playbook/playbook.ts';
import { stepFailure } from '../calls.ts';
import type { Questions } from '../questions/questions.ts';
import type { Leases } from '../steps/leases.ts';
import type { Body, IncidentModel } from './model.ts';

interface SagaParts {
  readonly model: IncidentModel;
  readonly questions: Questions;
  readonly leases: Leases;
}

/** An effect of one part of a body that is in force; kept in the order in which they came about. */
interface Undoable {
  readonly action: string;
  readonly target: string;
  readonly leaseId: string;
  readonly result: StepResult;
}

/**
 * A part of a body that is done as a whole or released. If a later step of it fails, its effects are undone in reverse order: at once if the envelope says so
 * and the incident is below critical, otherwise as people decide, who are asked once about all of it. Silence leaves it in force.
 */
export class Saga {
  readonly #parts: SagaParts;
  readonly #playbook: ListedPlaybook;
  readonly #body: Body;
  readonly #done: Undoable[] = [];
  readonly #running = new Set<Promise<unknown>>();

  constructor(parts: SagaParts, playbook: ListedPlaybook, body: Body) {
    this.#parts = parts;
    this.#playbook = playbook;
    this.#body = body;
  }

  /** Adds a step to this part and returns its promise unchanged. */
  take(step: Promise<StepResult>): Promise<StepResult> {
    this.#running.add(step);
    const over = () => void this.#running.delete(step);
    step.then((result) => {
      over();
      const { action, leaseId, plan } = result;
      if (leaseId !== undefined) this.#done.push({ action, leaseId, target: plan.target.name, result });
    }, over);
    return step;
  }

  /** After a failure: waits for steps still in progress, then releases all of them. */
  async undo(failure: unknown): Promise<void> {
    // The first failure does not end steps running next to it.
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
    const left = this.#stillInForce();
    if (left.length === 0) return;
    const { model } = this.#parts;
    const actor = `playbook/${this.#playbook.id}`;
    const what = left.map(({ action, target }) => heldText({ action, target })).join(', then ');
    const why = stepFailure(failure).message;
    const next = this.#mayUndoItself
      ? 'what was done before is undone now'
      : 'people are asked whether to undo what was done before';
    model.record('saga.failed', actor, `${why}: ${next}: ${what}`, { leases: left.map(({ leaseId }) => leaseId) });
    if (this.#mayUndoItself) for (const one of left) await this.#giveBack(one);
    const asked = this.#stillInForce();
    if (asked.length > 0) await this.#ask(asked, why);
  }

  /** Latest first. */
  #stillInForce(): readonly Undoable[] {
    return this.#done.filter(({ leaseId }) => this.#holds(leaseId)).reverse();
  }

  #holds(leaseId: string): boolean {
    const lease = this.#parts.model.leases.get(leaseId);
    return lease?.state === 'active' && lease.holders.includes(this.#holder);
  }

  get #holder(): string {
    return `${this.#playbook.id}/${this.#body.state.subjectKey}`;
  }

  /** As the cell will check it again: see `activities/chokepoint/release-check.ts`. */
  get #mayUndoItself(): boolean {
    const { severity } = this.#parts.model;
    return this.#playbook.sagaUndo === 'below-critical' && severity !== 'critical' && severity !== 'unknown';
  }

  /** A refusal is recorded, and then people are asked. */
  async #giveBack({ leaseId }: Undoable): Promise<void> {
    await this.#parts.leases.letGo(leaseId, this.#holder, { kind: 'saga-failed' }).catch(() => undefined);
  }

  async #ask(left: readonly Undoable[], why: string): Promise<void> {
    const { model, questions, leases } = this.#parts;
    const plans = left.map(({ result }) => releasePlanOf(result.plan, result.key));
    const decision = await questions.ask({
      text: `${this.#playbook.title}: a later part failed (${why}). Undo what was done before it?`,
      choices: [
        { id: 'undo', label: 'Yes', plans },
        { id: 'leave', label: 'No, leave it in force', plans: [] },
      ],
      levels: levelsOf(this.#playbook, this.#body.alert.severity, model.settings.levels),
      requester: `playbook/${this.#playbook.id}`,
      onSilence: 'It stays in force, and is renewed.',
      alert: this.#body.alert,
    });
    if (decision?.choice !== 'undo') return;
    for (const { leaseId, result } of left) {
      const plan = releasePlanOf(result.plan, result.key);
      await leases.letGo(leaseId, this.#holder, { kind: 'approved', proof: decision.proof, plan }).catch(() => undefined);
    }
  }
}
