import type { Severity } from '../alert/severity.ts';
import type { AnyPlaybook } from '../playbook/playbook.ts';
import type { ApprovalProof, Question } from './approval.ts';

/** Who asks whom about what, as a process knows it of its own: the playbooks of its build, and its configuration. */
export interface Asking {
  readonly playbooks: readonly AnyPlaybook[];
  /** Groups of the roster that decide on incidents (`incidents.levels`), one after another. */
  readonly groups: readonly string[];
}

/** What an approval is brought along for. */
export type Approved = 'step' | 'release' | 'waiver';

function playbookOf({ requester }: Pick<Question, 'requester'>, { playbooks }: Asking): AnyPlaybook | undefined {
  return playbooks.find(({ id }) => requester === `playbook/${id}`);
}

/**
 * The groups that a question of this asker may be put to, whatever it says: nobody of another one may answer it. None for an asker that this process
 * does not know. A playbook that no alert was heard to call for asks only whom others may ask, too; `calledFor` is empty where nothing was heard.
 */
export function groupsAskedBy(
  question: Pick<Question, 'requester'>,
  asking: Asking,
  calledFor: readonly string[],
): readonly string[] {
  const { requester } = question;
  // A person who asks for a decision above all incidents asks those who decide on them.
  if (requester === 'engine' || requester.startsWith('person/')) return asking.groups;
  const playbook = playbookOf(question, asking);
  if (!playbook) return [];
  const own = groupsIn(playbook, asking);
  if (calledFor.length === 0 || calledFor.includes(playbook.id)) return own;
  const others = asking.playbooks.filter(({ id }) => calledFor.includes(id)).flatMap((one) => groupsIn(one, asking));
  return own.filter((group) => others.includes(group) || asking.groups.includes(group));
}

function groupsIn({ levels }: AnyPlaybook, { groups }: Asking): readonly string[] {
  return levels?.map(({ group }) => group) ?? groups;
}

/**
 * Why a question cannot approve this for a step of that playbook; undefined where it can. What ends something for good is for the people whom
 * its own playbook asks; to do without evidence, for those who decide on incidents.
 */
export function problemOfApproval(
  { question, choice }: ApprovalProof,
  approved: { readonly as: Approved; readonly action: string; readonly playbook: string },
  asking: Asking,
): string | undefined {
  const { as, action, playbook } = approved;
  const { requester, choices } = question;
  if (as === 'waiver') return requester === 'engine' ? undefined : 'only those who decide on incidents do without evidence';
  if (requester === 'engine') {
    const plans = choices.find(({ id }) => id === choice)?.plans ?? [];
    const ends = plans.some((plan) => plan.effect === 'destructive');
    return ends ? `${action} ends something: only a playbook that uses it asks about it` : undefined;
  }
  const asker = playbookOf(question, asking);
  if (!asker) return `${requester} asks about no step`;
  if (as === 'step' && asker.id !== playbook) return `${asker.id} does not ask for ${playbook}`;
  return Object.values(asker.uses).some(({ name }) => name === action) ? undefined : `${asker.id} does not use ${action}`;
}

/** At least so bad is an incident in which this playbook runs, or asks. */
export function leastSeverityOf(playbook: string, { playbooks }: Asking): Severity {
  return playbooks.find(({ id }) => id === playbook)?.on.minSeverity ?? 'unknown';
}
