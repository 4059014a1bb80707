import { atLeast, type Severity, worse } from '../alert/severity.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { AnyPlaybook } from '../playbook/playbook.ts';
import type { ApprovalProof, Question } from './approval.ts';

/** The parts of an envelope that determine who is asked, and for what. */
export interface AskingPlaybook extends Pick<AnyPlaybook, 'id' | 'sagaUndo'> {
  readonly on: Pick<AnyPlaybook['on'], 'minSeverity'>;
  readonly uses: Readonly<Record<string, { readonly name: string }>>;
  readonly levels?: readonly { readonly group: string }[];
}

/** Who asks whom about what, as a process knows it from its own sources: the playbooks of its build, and its configuration. */
export interface Asking {
  readonly playbooks: readonly AskingPlaybook[];
  /** Groups of the roster that decide on incidents (`incidents.levels`), in order. */
  readonly groups: readonly string[];
}

/** The same with whole envelopes. */
export interface EnvelopeAsking extends Asking {
  readonly playbooks: readonly AnyPlaybook[];
}

/** Who asks whom in an incident. Incidents may have begun with different versions of the playbooks. */
export type AskingIn = (incident: IncidentRef) => Asking;

/** The purpose for which an approval is presented. */
export type Approved = 'step' | 'release' | 'waiver';

function playbookOf({ requester }: Pick<Question, 'requester'>, { playbooks }: Asking): AskingPlaybook | undefined {
  return playbooks.find(({ id }) => requester === `playbook/${id}`);
}

/**
 * Returns the groups that a question of this asker may be put to, whatever it says: nobody from another group may answer it. None for an asker that this
 * process does not know. A playbook that no known alert called for may only ask groups that others may ask, too; `calledFor` is empty if no calls are known.
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

function groupsIn({ levels }: AskingPlaybook, { groups }: Asking): readonly string[] {
  return levels?.map(({ group }) => group) ?? groups;
}

/**
 * Returns why a question cannot approve this for a step of that playbook; undefined if it can. Ending something for good is decided by the people whom its own
 * playbook asks; doing without evidence, by those who decide on incidents.
 */
export function problemOfApproval(
  { question, choice }: ApprovalProof,
  approved: { readonly as: Approved; readonly action: string; readonly playbook: string },
  asking: Asking,
): string | undefined {
  const { as, action, playbook } = approved;
  const { requester, choices } = question;
  if (as === 'waiver') return requester === 'engine' ? undefined : 'only the people who decide on incidents may waive evidence';
  if (requester === 'engine') {
    const plans = choices.find(({ id }) => id === choice)?.plans ?? [];
    const ends = plans.some((plan) => plan.effect === 'destructive');
    return ends ? `${action} ends something: only a playbook that uses it may ask about it` : undefined;
  }
  const asker = playbookOf(question, asking);
  if (!asker) return `${requester} does not ask about steps`;
  if (as === 'step' && asker.id !== playbook) return `${asker.id} does not ask for ${playbook}`;
  return Object.values(asker.uses).some(({ name }) => name === action) ? undefined : `${asker.id} does not use ${action}`;
}

/** Returns the minimum severity of an incident in which this playbook runs, or asks. */
export function leastSeverityOf(playbook: string, { playbooks }: Asking): Severity {
  return playbooks.find(({ id }) => id === playbook)?.on.minSeverity ?? 'unknown';
}

/** Returns what both versions allow: for when nobody can say which of them an incident uses. */
export function narrowerOf(one: Asking, other: Asking): Asking {
  const playbooks = one.playbooks.flatMap((mine): readonly AskingPlaybook[] => {
    const theirs = other.playbooks.find(({ id }) => id === mine.id);
    if (!theirs) return [];
    if (theirs === mine) return [mine];
    const used = new Set(Object.values(theirs.uses).map(({ name }) => name));
    const asked = new Set(groupsIn(theirs, other));
    return [
      {
        id: mine.id,
        on: { minSeverity: worse(mine.on.minSeverity, theirs.on.minSeverity) },
        uses: Object.fromEntries(Object.entries(mine.uses).filter(([, { name }]) => used.has(name))),
        levels: groupsIn(mine, one).flatMap((group) => (asked.has(group) ? { group } : [])),
        ...(mine.sagaUndo !== undefined && mine.sagaUndo === theirs.sagaUndo && { sagaUndo: mine.sagaUndo }),
      },
    ];
  });
  return { playbooks, groups: one.groups.filter((group) => other.groups.includes(group)) };
}

/** Returns what either version allows: for when a cell, which knows which of them an incident uses, has checked before. */
export function widerOf(one: Asking, other: Asking): Asking {
  const both = one.playbooks.map((mine): AskingPlaybook => {
    const theirs = other.playbooks.find(({ id }) => id === mine.id);
    if (!theirs || theirs === mine) return mine;
    const sagaUndo = mine.sagaUndo ?? theirs.sagaUndo;
    const groups = new Set([...groupsIn(mine, one), ...groupsIn(theirs, other)]);
    const [a, b] = [mine.on.minSeverity, theirs.on.minSeverity];
    return {
      id: mine.id,
      on: { minSeverity: atLeast(a, b) ? b : a },
      uses: Object.fromEntries([mine, theirs].flatMap(({ uses }) => Object.values(uses).map((use) => [use.name, use]))),
      levels: [...groups].map((group) => ({ group })),
      ...(sagaUndo !== undefined && { sagaUndo }),
    };
  });
  const alone = other.playbooks.filter(({ id }) => !one.playbooks.some((mine) => mine.id === id));
  return { playbooks: [...both, ...alone], groups: [...new Set([...one.groups, ...other.groups])] };
}
