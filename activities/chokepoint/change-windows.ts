import { closedText, closedWindow, outsideOf } from '../../core/action/change-window.ts';
import type { GuardrailRules } from '../../core/action/guardrail.ts';
import { namespacesOf, type Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';

/** What a step is about, as far as a restraint can name it. */
export function restrainableOf(call: Pick<StepCall, 'playbook' | 'incident'>, plan: Plan): Restrainable {
  return { namespaces: namespacesOf(plan), playbook: call.playbook, incident: call.incident.id };
}

export interface ChangeWindows {
  /** The plan as it is put to people now: needs one more person if a window is closed. */
  asAsked(plan: Plan, call: StepCall): Plan;
  /** Why nobody can allow it now; undefined if somebody can. */
  refusal(plan: Plan, call: StepCall): string | undefined;
}

/** The change windows, by the cell's clock. Break-glass lifts them. */
export function createChangeWindows(parts: {
  readonly rules: Pick<GuardrailRules, 'changeWindows'>;
  readonly now: () => number;
  readonly restraintOn: ((step: Restrainable) => ActiveRestraint | undefined) | undefined;
}): ChangeWindows {
  const { rules, now, restraintOn } = parts;
  const closedOn = (plan: Plan, call: StepCall) => {
    const about = restrainableOf(call, plan);
    if (!rules.changeWindows || restraintOn?.(about)?.terms.mode === 'break-glass') return undefined;
    return closedWindow(rules.changeWindows, { ...about, effect: plan.effect, reach: plan.reach }, now());
  };
  return {
    asAsked: (plan, call) => {
      const window = closedOn(plan, call);
      return window?.outside === 'oneMore' ? outsideOf(plan, window.name) : plan;
    },
    refusal: (plan, call) => {
      const window = closedOn(plan, call);
      return window?.outside === 'refuse' ? closedText(window, now()) : undefined;
    },
  };
}

/** What people approved while a window was closed remains valid when it is open: more people agreed than are needed now. */
export function asApproved(plan: Plan, approved: Plan | undefined): Plan {
  return approved?.outsideWindow !== undefined && plan.outsideWindow === undefined
    ? outsideOf(plan, approved.outsideWindow)
    : plan;
}
