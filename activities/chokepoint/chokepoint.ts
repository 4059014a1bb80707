import type { ActionDeclaration, StepContext, UndoResult, Verification } from '../../core/action/action.ts';
import { checkGuardrails } from '../../core/action/guardrail.ts';
import { type Plan, planDigest } from '../../core/action/plan.ts';
import type { AppliedStep, StepCall, UndoCall } from '../../core/action/step.ts';
import type { Severity } from '../../core/alert/severity.ts';
import { planIsCovered } from '../../core/decide/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Taken } from '../../core/incident/hold.ts';
import { defaultLeaseMs } from '../../core/incident/lease.ts';
import { digestOf } from '../../core/text/digest.ts';
import { LandedSteps } from '../memory/landed-steps.ts';
import { approvedPlan, knownOf, mustBeApproved } from './approval-check.ts';
import { asApproved, createChangeWindows, restrainableOf } from './change-windows.ts';
import { createEvidenceRule } from './evidence-rule.ts';
import type { ChokepointParts } from './parts.ts';
import { createReleaseRule } from './release-check.ts';
import { createReservations } from './reservations.ts';
import { underway } from './step-register.ts';

export interface Chokepoint {
  plan(call: StepCall, context: StepContext): Promise<Plan>;
  apply(call: StepCall, context: StepContext): Promise<AppliedStep>;
  verify(step: { readonly call: StepCall; readonly output: unknown }, context: StepContext): Promise<Verification>;
  undo(undo: UndoCall, context: StepContext): Promise<UndoResult>;
}

/**
 * The one way to an effect. For every action, in this order: its input is checked; it is planned; the approval, for exactly this plan;
 * guardrails; the evidence rule; then apply. Nothing else calls an implementation.
 */
export function createChokepoint(parts: ChokepointParts): Chokepoint {
  const registered = new Map(parts.actions.map((action) => [action.declaration.name, action]));
  const reservations = createReservations(parts);
  const windows = createChangeWindows({ rules: parts.rules, now: parts.now ?? Date.now, restraintOn: parts.restraintOn });
  const evidence = createEvidenceRule(parts);
  const now = parts.now ?? Date.now;
  const landed = parts.landed ?? new LandedSteps();
  const mayGiveBack = createReleaseRule({ ...parts, landed });

  const actionOf = (call: StepCall) => {
    const action = registered.get(call.action);
    if (!action) throw new FirebreakError('FB_ERR_REFUSED', `this worker does not have the action ${call.action}`);
    const input = action.input.safeParse(call.input);
    if (!input.success)
      throw new FirebreakError(
        'FB_ERR_REFUSED',
        `the input of ${call.action} is not valid at ${input.error.issues[0]?.path.join('.') ?? 'its root'}`,
      );
    return { action, input: input.data };
  };

  const fullPlan = async (call: StepCall, context: StepContext): Promise<Plan> => {
    const { action, input } = actionOf(call);
    // From its first plan on the incident is known here.
    parts.incidents.began(call.incident);
    const { declaration } = action;
    const planned = await underway(parts.steps, call, undefined, () => action.implementation.plan(input, context));
    const plan: Plan = {
      ...planned,
      action: declaration.name,
      effect: declaration.effect,
      reach: planned.reach ?? declaration.reach,
      inputDigest: digestOf(call.input),
    };
    return windows.asAsked(plan, call);
  };

  /** The plan that the step runs under: made anew, or, when this very step was cut short in the middle, the approved one. */
  const planToRun = async (call: StepCall, context: StepContext): Promise<Plan> => {
    const { action, input } = actionOf(call);
    const approved = approvedPlan(call);
    let plan: Plan;
    try {
      plan = asApproved(await fullPlan(call, context), approved);
    } catch (error) {
      if (approved && (await action.implementation.started(input, context))) return approved;
      throw error;
    }
    if (!approved || planDigest(plan) === planDigest(approved)) return plan;
    if (await action.implementation.started(input, context)) return approved;
    return plan;
  };

  const guard = (call: StepCall, declaration: ActionDeclaration, plan: Plan, closed: string | undefined) => {
    const namespace = plan.target.name.split('/')[1] ?? '';
    const { uid } = plan.target;
    const contained = reservations.contained(uid, namespace);
    const taken = reservations.takenBy(call.incident.id, namespace);
    const held = uid !== undefined && taken.has(uid);
    const answer = checkGuardrails(parts.rules, {
      declaration,
      plan,
      severity: call.severity,
      approved: call.approval !== undefined,
      doubt: call.doubt,
      closed,
      restraint: parts.restraintOn?.(restrainableOf(call, plan)),
      ownerReplicas: parts.census.ownerReplicas(call),
      held,
      // The incident counts what it knows of; the cell what it sees, and what it is about to do.
      ownerContained: Math.max(call.ownerContained, taken.size - (held ? 1 : 0)),
      namespaceContained: contained.namespace,
      clusterContained: contained.total,
    });
    if (!answer.ok) throw new FirebreakError(answer.code, answer.reason);
  };

  const approve = async (call: StepCall, plan: Plan, context: StepContext) => {
    const { approval } = call;
    if (!approval) return;
    parts.warrants?.take(call, context.order ?? call.key);
    await mustBeApproved(parts, call, approval, 'step');
    if (planIsCovered(approval, plan)) return;
    if (plan.outsideWindow !== undefined && approvedPlan(call)?.outsideWindow === undefined)
      throw new FirebreakError(
        'FB_ERR_OUTSIDE_WINDOW',
        `${plan.outsideWindow} has closed since people approved ${plan.target.name}: one more must agree, ask again`,
      );
    throw new FirebreakError('FB_ERR_PLAN_CHANGED', `${plan.target.name} is no longer as it was when people approved`);
  };

  /** What no approval can allow is not put to people either. */
  const mayBeAsked = (call: StepCall, plan: Plan, declaration: ActionDeclaration) => {
    const { severity } = call;
    const closed = windows.refusal(plan, call);
    const nothing = { doubt: undefined, ownerReplicas: undefined, held: false };
    const counts = { ownerContained: 0, namespaceContained: 0, clusterContained: 0 };
    const answer = checkGuardrails(parts.rules, { declaration, plan, severity, closed, approved: true, ...nothing, ...counts });
    if (!answer.ok) throw new FirebreakError(answer.code, answer.reason);
  };

  return {
    plan: async (call, context) => {
      const plan = await fullPlan(call, context);
      mayBeAsked(call, plan, actionOf(call).action.declaration);
      return plan;
    },

    apply: async (call, context) => {
      const { action, input } = actionOf(call);
      if (landed.wasGivenBack(call.key))
        throw new FirebreakError('FB_ERR_REFUSED', `this step of ${call.action} was given back: it is not run again`);
      const plan = await planToRun(call, context);
      await approve(call, plan, context);
      let closed = windows.refusal(plan, call);
      // What has begun while it was open is not left half done.
      if (closed !== undefined && call.approval && (await action.implementation.started(input, context))) closed = undefined;
      guard(call, action.declaration, plan, closed);
      // In the same turn as the guardrails: between counting and reserving nobody else counts.
      const { uid } = plan.target;
      if (action.declaration.contains === true && uid !== undefined) reservations.reserve(uid, plan, call);
      try {
        await evidence(call, action.declaration, plan);
        await kept(context);
        const output = await underway(parts.steps, call, plan, () =>
          action.implementation.apply(input, { ...context, taking: takingOf(call, plan, knownOf(parts, call).severity) }),
        );
        landed.note(call.key, now());
        return { plan, output };
      } catch (error) {
        // What may come again, or may have landed, keeps its place.
        if (uid !== undefined && error instanceof FirebreakError && !error.retryable) reservations.drop(uid);
        throw error;
      }
    },

    verify: async ({ call, output }, context) =>
      underway(parts.steps, call, undefined, () => actionOf(call).action.implementation.verify(output, context)),

    undo: async ({ call, output, reason }, context) => {
      const { action, input } = actionOf(call);
      const { undo } = action.implementation;
      if (!undo) throw new FirebreakError('FB_ERR_REFUSED', `${call.action} has no undo`);
      await mayGiveBack.before(call, reason);
      const result = await underway(parts.steps, call, undefined, () =>
        undo(
          {
            input,
            key: call.key,
            ...(output === undefined ? {} : { output }),
            allow: (notes) => mayGiveBack.given(call, reason, notes),
          },
          context,
        ),
      );
      reservations.dropStep(call.key);
      landed.gaveBack(call.key, now());
      return result;
    },
  };
}

async function kept({ durable }: StepContext): Promise<void> {
  try {
    await durable;
  } catch {
    throw new FirebreakError('FB_ERR_REFUSED', 'what asks for it could not be kept');
  }
}

/** For the note on what is changed: what gives it back is held to this. */
function takingOf({ lease }: StepCall, { reach }: Plan, severity: Severity): Omit<Taken, 'at'> {
  return { severity, reach, lease: lease ?? { durationMs: defaultLeaseMs, onExpiry: 'renew' } };
}
