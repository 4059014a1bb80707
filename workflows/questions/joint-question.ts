import { planDigest } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { severities } from '../../core/alert/severity.ts';
import { isStronger } from '../../core/assessment/contained-at-once.ts';
import type { Level } from '../../core/decide/approval.ts';
import { digestOf } from '../../core/text/digest.ts';
import type { AskedQuestion } from './asked-question.ts';

/** Of a longer question, a card would not show all: another one begins. */
export const longestJointText = 600;

/**
 * What two questions share if one answer may settle both: the pod, who asks whom, and for each choice the same steps on the same targets. Undefined for a
 * question that stays alone: it is about no pod, changes nothing, or has a form.
 */
export function jointKeyOf(asked: AskedQuestion): string | undefined {
  const { alert, caller, choices, containsOnSilence, levels, onSilence, requester, standing, until } = asked;
  const uid = alert.pod?.uid;
  if (caller === undefined || standing || uid === undefined) return undefined;
  // The cell counts the time of such a question from when it was shown: no finding may set that back.
  if (containsOnSilence !== undefined) return undefined;
  if (choices.some(({ form }) => form !== undefined) || choices.every(({ plans }) => plans.length === 0)) return undefined;
  return digestOf({
    uid,
    engine: requester === 'engine',
    groups: levels.map(({ group }) => group),
    endsOnceContained: until !== undefined,
    onSilence,
    choices: choices.map(({ id, label, plans, harmless = false }) => ({
      id,
      harmless,
      // What is harmless is said in the words of each playbook.
      label: harmless ? '' : label,
      // A release is proven by its very plan; another step by its input.
      plans: plans.map((plan) =>
        plan.action.startsWith('undo:') ? planDigest(plan) : [plan.action, plan.inputDigest, plan.target],
      ),
    })),
  });
}

/** The findings as one question: in the words of the worst, with the plans of the first. */
export function jointOf(first: AskedQuestion, others: readonly AskedQuestion[]): AskedQuestion {
  const [worst = first, ...further] = worstFirst([first, ...others]);
  return {
    ...first,
    alert: worst.alert,
    text: textOf(worst, further),
    choices: first.choices.map((choice) => {
      const labels = new Set(
        [first, ...others].flatMap(({ choices }) => choices.find(({ id }) => id === choice.id)?.label ?? []),
      );
      return labels.size > 1 ? { ...choice, label: 'Yes, all of it is expected' } : choice;
    }),
  };
}

function worstFirst(findings: readonly AskedQuestion[]): readonly AskedQuestion[] {
  return findings.toSorted((a, b) => {
    const [one, two] = [findingOf(a), findingOf(b)];
    if (isStronger(one, two)) return -1;
    return isStronger(two, one) ? 1 : severities.indexOf(one.severity) - severities.indexOf(two.severity);
  });
}

function textOf(worst: AskedQuestion, further: readonly AskedQuestion[]): string {
  const named = findingText(worst);
  const others = [...new Set(further.map(findingText))].filter((name) => name !== named);
  if (others.length === 0) return worst.text;
  const found = others.length === 1 ? 'a further finding' : `${others.length} further findings, worst first`;
  const ends = /[.?!]$/.test(worst.text) ? '' : '.';
  return `${worst.text}${ends} The answer also covers ${found}: ${others.join(', ')}.`;
}

/** The alert that a body runs for; its card may show another one, because of which the pod was contained. */
function findingOf({ finding, alert }: AskedQuestion): Alert {
  return finding ?? alert;
}

export function findingText(asked: AskedQuestion): string {
  const { rule, severity } = findingOf(asked);
  return `“${rule}” (${severity})`;
}

/** When the levels of a joint question end, in milliseconds since 1970. */
interface JointTimes {
  readonly levels: readonly Level[];
  readonly levelUntil: number;
  readonly until: number;
}

/**
 * No finding is asked about for a shorter time, or passed on later, than it would be alone: the level that is asked keeps its end, or ends earlier, and the
 * last one lasts longer.
 */
export function jointTimes(
  open: { readonly levels: readonly Level[]; readonly level: number; readonly levelUntil: number },
  joining: readonly Level[],
  now: number,
): JointTimes {
  const { level } = open;
  const levels = strictest(open.levels, joining);
  const levelUntil = Math.min(open.levelUntil, now + (joining[level]?.withinMs ?? 0));
  const until = Math.max(open.levelUntil + timeAfter(open.levels, level), now + timeAfter(joining, -1));
  const moreMs = until - levelUntil - timeAfter(levels, level);
  const last = levels.length - 1;
  return {
    levels: levels.map((one, index) => (index === last ? { ...one, withinMs: one.withinMs + moreMs } : one)),
    levelUntil: level === last ? levelUntil + moreMs : levelUntil,
    until,
  };
}

function timeAfter(levels: readonly Level[], level: number): number {
  return levels.slice(level + 1).reduce((sum, { withinMs }) => sum + withinMs, 0);
}

function strictest(levels: readonly Level[], more: readonly Level[]): readonly Level[] {
  return levels.map((level, index) => {
    const { withinMs = level.withinMs, page = false } = more[index] ?? {};
    return { ...level, withinMs: Math.min(level.withinMs, withinMs), ...(page && { page }) };
  });
}
