import type { ActionDeclaration, Verification } from '../../core/action/action.ts';
import type { Plan } from '../../core/action/plan.ts';
import { releasePlanOf } from '../../core/action/release-plan.ts';
import { type AppliedStep, podUidOf, type StepCall } from '../../core/action/step.ts';
import { type ErrorCode, errorCatalogue } from '../../core/errors.ts';
import type { StepState } from '../../core/incident/incident-state.ts';
import type { Lease } from '../../core/incident/lease.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { digestOf } from '../../core/text/digest.ts';
import { fastActivities, onWarrant, stepActivities, stepFailure } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { TargetLocks } from '../incident/targets.ts';
import type { Questions } from '../questions/questions.ts';
import { timeNow } from '../world.ts';
import { ApprovedTogether } from './approved-together.ts';
import type { EffectChecks } from './effect-checks.ts';
import { EvidenceWait } from './evidence-wait.ts';
import type { Leases } from './leases.ts';
import { SharedEvidence } from './shared-evidence.ts';
import { lasts, type StepOrder, stepCall } from './step-calls.ts';
import { evidenceIn, imagesAfter, outputForRecord, targetText } from './step-data.ts';
import { inForce, joinLease, planOfHeld, registerLease } from './step-leases.ts';

/** Refused before anything was done: there is nothing to undo. */
const refusedBefore: ReadonlySet<ErrorCode> = new Set([
  'FB_ERR_PROTECTED',
  'FB_ERR_ASK_FIRST',
  'FB_ERR_OBSERVED',
  'FB_ERR_OUTSIDE_WINDOW',
  'FB_ERR_CAP_REACHED',
  'FB_ERR_APPROVAL_INVALID',
  'FB_ERR_PLAN_CHANGED',
  'FB_ERR_EVIDENCE_PENDING',
  'FB_ERR_WARRANT_OUTDATED',
  'FB_ERR_REFUSED',
]);

/** Repeating the call gains nothing; otherwise its outcome is unknown. */
const refusedNow: ReadonlySet<ErrorCode> = new Set([...refusedBefore, 'FB_ERR_API_REFUSED']);

/** A failed step. */
interface Failed {
  readonly order: StepOrder;
  readonly call: StepCall;
  readonly step: StepState;
  readonly lease: Lease | undefined;
}

/** An applied step with its result. */
interface Landed extends Failed {
  readonly applied: AppliedStep;
  readonly uid: string | undefined;
}

/** Runs the steps of playbooks: in order on one target, under their keys, with the undo registered before the apply. */
export class StepEngine {
  readonly #model: IncidentModel;
  readonly #leases: Leases;
  readonly #questions: Questions;
  readonly #effects: EffectChecks;
  readonly #locks: TargetLocks;
  readonly #evidence: EvidenceWait;
  readonly #shared: SharedEvidence;
  readonly #together: ApprovedTogether;
  /** Used to build calls and leases. */
  readonly #parts: { readonly model: IncidentModel; readonly leases: Leases; readonly evidence: EvidenceWait };
  #usedFastPath = false;

  constructor(parts: {
    readonly model: IncidentModel;
    readonly leases: Leases;
    readonly questions: Questions;
    readonly effects: EffectChecks;
    readonly locks: TargetLocks;
  }) {
    this.#model = parts.model;
    this.#leases = parts.leases;
    this.#questions = parts.questions;
    this.#effects = parts.effects;
    this.#locks = parts.locks;
    this.#evidence = new EvidenceWait(parts);
    this.#shared = new SharedEvidence(parts);
    this.#together = new ApprovedTogether(parts);
    this.#parts = { model: parts.model, leases: parts.leases, evidence: this.#evidence };
  }

  async plan(order: StepOrder): Promise<Plan> {
    const call = stepCall(this.#parts, order, 'plan');
    try {
      return await this.#model.during(
        stepActivities(this.#model.settings, order.declaration, this.#model.priority).planStep(call),
      );
    } catch (error) {
      throw stepFailure(error);
    }
  }

  run(order: StepOrder): Promise<StepResult> {
    return this.#together.run(order, (one) => this.#runOne(one));
  }

  async #runOne(order: StepOrder): Promise<StepResult> {
    const uid = podUidOf(order.input);
    const { effect, momentary } = order.declaration;
    const lock = effect === 'read' || momentary ? undefined : (uid ?? `${order.declaration.name} ${digestOf(order.input)}`);
    return this.#model.during(this.#inTurn(order, uid, lock));
  }

  /** The wait for evidence comes before the turn: it must not keep another playbook from containing the same target. */
  async #inTurn(order: StepOrder, uid: string | undefined, lock: string | undefined): Promise<StepResult> {
    const { declaration, caller, ...asked } = order;
    if (declaration.effect === 'destructive')
      await this.#evidence.until({ ...asked, action: declaration.name, alert: caller.alert });
    const go = (): Promise<StepResult> => this.#locks.hold(lock, () => this.#run(order, uid));
    return declaration.storesEvidence ? this.#shared.run(order, go) : go();
  }

  async #run(order: StepOrder, uid: string | undefined): Promise<StepResult> {
    const { declaration } = order;
    const joined = lasts(declaration) ? this.#leases.active(declaration.name, uid, order.input) : undefined;
    if (joined) return joinLease(this.#parts, joined, order);

    const call = stepCall(this.#parts, order, 'run');
    const step: StepState = {
      key: call.key,
      playbook: order.caller.playbook,
      action: declaration.name,
      target: targetText(order.input),
      state: 'running',
      detail: '',
      startedAt: timeNow(),
    };
    this.#model.steps.set(call.key, step);
    const lease = lasts(declaration) ? registerLease(this.#parts, order, call) : undefined;
    const applied = await this.#apply(order, call).catch((error) => this.#applyLater({ order, call, step, lease }, error));
    const verification = await this.#landed({ order, call, step, lease, applied, uid });
    return {
      action: declaration.name,
      key: call.key,
      plan: applied.plan,
      output: applied.output,
      verification,
      ...(lease ? { leaseId: lease.id } : {}),
    };
  }

  async #apply(order: StepOrder, call: StepCall, { isTold = false } = {}): Promise<AppliedStep> {
    const { declaration } = order;
    const cell = stepActivities(this.#model.settings, declaration, this.#model.priority, { isTold });
    const fast =
      !this.#usedFastPath && declaration.effect === 'reversible' && declaration.reach === 'pod' && declaration.pool === 'cell';
    if (fast) {
      this.#usedFastPath = true;
      try {
        return await fastActivities().applyStepNow(call);
      } catch (error) {
        const { code } = stepFailure(error);
        // The same step under the same key: if the first attempt did land, the second finds it and changes nothing.
        if (refusedNow.has(code)) throw error;
      }
    }
    if (declaration.pool === 'cell' || !call.approval) return cell.applyStep(call);
    return onWarrant(
      this.#model,
      (issuer) => issuer.issueWarrant(call),
      (warrant) => cell.applyStep({ ...call, warrant }),
    );
  }

  /** A reversible step is retried for as long as it takes, because it contains; after a minute people are told that it waits, and for what. */
  async #applyLater(failed: Failed, error: unknown): Promise<AppliedStep> {
    const { order, call, step } = failed;
    const { declaration, caller } = order;
    const failure = stepFailure(error);
    if (!lasts(declaration) || declaration.pool === 'packs' || !errorCatalogue[failure.code].retryable)
      return this.#failed(failed, failure);
    const { key, action, target } = step;
    const text = `${declaration.title}: ${target}: not done yet, and retried until it succeeds: ${failure.message}`;
    this.#model.steps.set(key, { ...step, detail: `not done yet: ${failure.message}` });
    this.#model.record('step.delayed', `playbook/${caller.playbook}`, text, { step: key, action, target, code: failure.code });
    this.#questions.page(text);
    this.#questions.touchAll();
    return this.#apply(order, call, { isTold: true }).catch((later) => this.#failed(failed, later));
  }

  async #failed({ order, call, step, lease }: Failed, error: unknown): Promise<never> {
    const failure = stepFailure(error);
    this.#model.steps.set(step.key, { ...step, state: 'failed', detail: failure.message, endedAt: timeNow() });
    this.#model.record('step.failed', `playbook/${step.playbook}`, `${step.action} on ${step.target}: ${failure.message}`, {
      step: step.key,
      action: step.action,
      target: step.target,
      code: failure.code,
    });
    if (lease) {
      if (!refusedBefore.has(failure.code)) await this.#leases.undo(lease.id, { kind: 'step-failed' }).catch(() => undefined);
      else this.#leases.forget(lease.id);
      if (this.#model.leases.get(lease.id)?.state === 'active')
        void this.#model.during(this.#askAboutLeft(order, call, lease.id));
    }
    throw failure;
  }

  /** Asks people whether to undo what a failed step has left in force. Nothing waits for it: the body hears of the failure at once. */
  async #askAboutLeft(order: StepOrder, call: StepCall, id: string): Promise<void> {
    const known = await this.plan(order).catch(() => undefined);
    const lease = this.#model.leases.get(id);
    if (lease?.state !== 'active') return;
    this.#questions.standing(lease, releasePlanOf(known ?? planOfHeld(lease, order), call.key));
    this.#questions.touchAll();
  }

  async #landed(done: Landed): Promise<Verification> {
    const { order, call, step, lease, applied, uid } = done;
    const { declaration } = order;
    const target = applied.plan.target.name;
    if (declaration.skipped !== undefined && isSkipped(declaration, applied.output))
      return this.#skipped({ ...step, target }, declaration.title, declaration.skipped);
    this.#model.steps.set(step.key, { ...step, target, state: 'applied', detail: '', endedAt: timeNow() });
    this.#model.record('step.applied', `playbook/${order.caller.playbook}`, `${declaration.title}: ${target}`, {
      step: call.key,
      action: declaration.name,
      plan: applied.plan,
      output: outputForRecord(applied.output),
    });
    const evidence = evidenceIn(applied.output);
    if (evidence) this.#model.evidence = [...this.#model.evidence, evidence];
    this.#model.images = imagesAfter(this.#model.images, applied.plan, applied.output);
    if (lease) {
      const known = {
        ...inForce(this.#model.leases.get(lease.id) ?? lease, applied),
        target: { ...applied.plan.target },
      };
      this.#leases.update(known);
      this.#model.holdings.set(lease.id, { leaseId: lease.id, call, plan: applied.plan, output: applied.output });
      this.#questions.standing(known, releasePlanOf(applied.plan, call.key));
      this.#effects.begin(known);
    }
    if (declaration.contains && this.#model.reached === 'detected') this.#model.reached = 'contained';
    if (declaration.effect === 'destructive') this.#destroyed(order, uid);
    this.#questions.touchAll();

    const verification = await stepActivities(this.#model.settings, declaration, this.#model.priority)
      .verifyStep({ call, output: applied.output })
      .catch((error): Verification => {
        const { code, message } = stepFailure(error);
        // Somebody reverted it at once: that is known, and not merely unverified.
        if (code === 'FB_ERR_DRIFTED') return { state: 'partial', detail: message, missing: [message] };
        return { state: 'unverified', detail: message };
      });
    this.#model.steps.set(step.key, {
      ...step,
      target,
      state: verification.state,
      detail: verification.detail,
      endedAt: timeNow(),
      verification,
    });
    this.#model.record(
      'step.checked',
      'engine',
      `${declaration.name} on ${target}: ${verification.state} (${verification.detail})`,
      { step: call.key, verification },
    );
    if (declaration.endsTarget && verification.state === 'verified' && uid) this.#leases.targetGone(uid);
    this.#questions.touchAll();
    return verification;
  }

  #skipped(step: StepState, title: string, why: string): Verification {
    const detail = `skipped: ${why}`;
    this.#model.steps.set(step.key, { ...step, state: 'skipped', detail, endedAt: timeNow() });
    const body = { step: step.key, action: step.action, target: step.target };
    this.#model.record('step.unavailable', `playbook/${step.playbook}`, `${title}: ${detail}`, body);
    this.#questions.touchAll();
    return { state: 'unverified', detail };
  }

  #destroyed(order: StepOrder, uid: string | undefined): void {
    this.#model.reached = 'eradicated';
    if (uid) this.#questions.voidOn(uid, `${order.declaration.name} has changed the target`, order.approval?.question.id);
  }
}

/** Only the desk's own actions can report this: an action on a cluster has always done something, whatever it answers. */
export function isSkipped({ pool, effect }: ActionDeclaration, output: unknown): boolean {
  if (pool !== 'desk' || effect !== 'read' || typeof output !== 'object' || output === null) return false;
  return 'state' in output && output.state === 'skipped';
}
