import type { ActionWords } from '../action/action.ts';
import { isObservedRelease, type Plan } from '../action/plan.ts';
import { actions } from '../actions/index.ts';
import { spelt } from '../text/object-name.ts';

/** What may precede the effect of a choice: it answers the question, and promises nothing. */
export const leads = ['', 'Yes', 'No'] as const;
type Lead = (typeof leads)[number];
const inFront = /^(?:Yes|No)\b/;

/** Labels of things that are not actions but still appear on a button. */
const others: Readonly<Record<string, ActionWords>> = {
  'waive-evidence': { does: 'go on without evidence' },
  suppress: { does: 'hide alerts' },
  observe: { does: 'only observe' },
};
const words: Readonly<Record<string, ActionWords>> = {
  ...others,
  ...Object.fromEntries(actions.map(({ name, words: own = {} }) => [name, own])),
};

function deedOf({ action }: Pick<Plan, 'action'>): string {
  const undone = /^undo:(.+)$/.exec(action)?.[1];
  if (undone === undefined) return words[action]?.does ?? spelt(action);
  return words[undone]?.undo ?? `undo “${words[undone]?.does ?? spelt(undone)}”`;
}

/** Returns whether the plan changes nothing. */
function changesNothing({ changes }: Plan): boolean {
  return changes.length === 0;
}

function nothingOf(plan: Plan): string {
  return words[plan.action]?.cannot ?? `“${deedOf(plan)}” changes nothing`;
}

function deedWithLimits(plan: Plan): string {
  const { except = [] } = plan;
  if (isObservedRelease(plan)) return `${deedOf(plan)}, watched for 24 hours`;
  return except.length === 0 ? deedOf(plan) : `${deedOf(plan)} (${except.length} cannot be)`;
}

function counted(deeds: readonly string[]): readonly string[] {
  return [...new Set(deeds)].map((deed) => {
    const times = deeds.filter((one) => one === deed).length;
    return times === 1 ? deed : `${deed} (${times} times)`;
  });
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

/** Returns what runs on a choice, and which parts would change nothing: taken from the plans, so that no button promises what they deny. */
export function labelOfPlans(plans: readonly Plan[], lead: Lead = ''): string {
  const does = counted(plans.filter((plan) => !changesNothing(plan)).map(deedWithLimits));
  const denied = counted(plans.filter(changesNothing).map(nothingOf));
  const deeds = does.length > 0 ? listed(does) : 'change nothing';
  const said = [deeds, ...denied].join('; ');
  return lead === '' ? `${said.charAt(0).toUpperCase()}${said.slice(1)}` : `${lead}: ${said}`;
}

/** Returns what people read of a choice: its own words if nothing runs on it, else those of its plans, whatever its label says. */
export function labelOf({ label, plans }: { readonly label: string; readonly plans: readonly Plan[] }): string {
  if (plans.length === 0) return label;
  return labelOfPlans(
    plans,
    leads.find((lead) => labelOfPlans(plans, lead) === label),
  );
}

/** The same for the choice with that id. */
export function labelIn(
  { choices }: { readonly choices: readonly { readonly id: string; readonly label: string; readonly plans: readonly Plan[] }[] },
  id: string,
): string {
  const found = choices.find((choice) => choice.id === id);
  return found ? labelOf(found) : id;
}

/** Returns the label of a choice that is asked about: if words are given for a choice with plans, only the leading `Yes` or `No` counts. */
export function labelFor(given: string, plans: readonly Plan[]): string {
  if (plans.length === 0) return given;
  const said = inFront.exec(given)?.[0];
  return labelOfPlans(
    plans,
    leads.find((lead) => lead === said),
  );
}

/** What a choice of a question shows of itself. */
type ShownChoice = { readonly label: string; readonly actions?: readonly string[] };

/**
 * Returns what a button does, in at most that many characters: the label without the answer in front of it or, if that is too long, the last of its actions,
 * which the others lead up to.
 */
export function actOf({ label, actions: run = [] }: ShownChoice, most: number): string {
  const act = label.replace(/^(?:Yes|No): /, '');
  const last = run.at(-1);
  const short = act.length <= most || last === undefined ? act : deedOf({ action: last });
  return `${short.charAt(0).toUpperCase()}${short.slice(1, most)}`;
}
