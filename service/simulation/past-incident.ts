import type { Plan } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { AuditRecord } from '../../core/audit/audit.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import { type ErrorCode, isErrorCode } from '../../core/errors.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import { isVerdict } from '../../core/incident/similar.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { StoryEvent } from '../../testing/story.ts';
import { provenRunOf, startOf } from '../records/incident-run.ts';
import type { AlertsOnRecord } from './recorded-alerts.ts';

/** A step as it ran. */
export interface PastStep {
  readonly action: string;
  /** Its number among the steps of this action, from 1. */
  readonly nth: number;
  readonly target: string;
  /** Milliseconds since the first alert. */
  readonly at: number;
  readonly plan?: Partial<Plan>;
  readonly output?: Readonly<Record<string, unknown>>;
  /** Error code, if it failed. */
  readonly code?: ErrorCode;
}

/** A question as people answered it. */
interface PastAnswer {
  readonly text: string;
  readonly choice: string;
  readonly at: number;
  /** Number of groups that had been asked before the one that answered. */
  readonly level: number;
  readonly form?: FormAnswers;
}

/** One run of an incident, according to its records. */
export interface PastIncident {
  /** `INCIDENT@RUN`. */
  readonly chain: string;
  readonly alerts: readonly { readonly alert: Alert; readonly at: number }[];
  /** Ids of the playbooks that ran. */
  readonly playbooks: readonly string[];
  readonly events: readonly StoryEvent[];
  readonly steps: readonly PastStep[];
  readonly answers: readonly PastAnswer[];
  readonly verdict: Verdict;
  /** What is unknown about it, in sentences. */
  readonly missing: readonly string[];
}

/** The same kinds of events as in a simulation, without events outside the incident. */
const storyKinds = new RegExp(
  `^(?:${[
    'alert\\.joined',
    'incident\\.(?:opened|verdict)',
    'playbook\\.(?!done)',
    'step\\.(?:applied|failed|joined)',
    'question\\.(?:asked|decided|expired|void|escalated)',
    '(?:lease|evidence|saga)\\.',
  ].join('|')})`,
);

export function isStoryKind(kind: string): boolean {
  return storyKinds.test(kind);
}

/**
 * Reads one run of an incident, using only proven records.
 * @param incident its full id; the newest run is used if none is named
 * @throws FB_ERR_UNKNOWN_ID
 */
export async function readPastIncident(
  {
    store,
    alerts,
    trust,
  }: { readonly store: Pick<AuditStore, 'chains' | 'storedChain'>; readonly alerts: AlertsOnRecord; readonly trust: Trust },
  incident: string,
  run?: string,
): Promise<PastIncident> {
  const { chain, records: ordered, leftOut } = await provenRunOf({ store, trust }, incident, run);
  const all: { readonly alert: Alert; readonly at: number }[] = [];
  const startsAt = Date.parse(startOf(ordered));
  const since = (at: string): number => Math.max(0, Date.parse(at) - startsAt);
  let bare = 0;
  for await (const { alert, at, isWhole } of alerts.read({ since: '', chain })) {
    all.push({ alert, at: since(at) });
    if (!isWhole) bare += 1;
  }
  const steps = stepsIn(ordered, since);
  return {
    chain,
    alerts: all,
    playbooks: [
      ...new Set(ordered.flatMap(({ kind, actor }) => (kind === 'playbook.started' ? [actor.replace(/^playbook\//, '')] : []))),
    ],
    events: ordered
      .filter(({ kind }) => isStoryKind(kind))
      .map(({ at, kind, body }) => ({ at: since(at), kind, text: String(body.text ?? '') })),
    steps,
    answers: answersIn(ordered, since),
    verdict: ordered.reduce<Verdict>(
      (last, { kind, body }) => (kind === 'incident.verdict' && isVerdict(body.incident) ? body.incident : last),
      'unknown',
    ),
    missing: missingOf({ records: ordered, leftOut: leftOut ?? 0, bare, alerts: all.length, steps }),
  };
}

type Since = (at: string) => number;

function stepsIn(records: readonly AuditRecord[], since: Since): readonly PastStep[] {
  const times = new Map<string, number>();
  return records.flatMap(({ kind, at, body }): readonly PastStep[] => {
    const { action, code, plan, output, target } = body;
    if ((kind !== 'step.applied' && kind !== 'step.failed') || typeof action !== 'string') return [];
    const nth = (times.get(action) ?? 0) + 1;
    times.set(action, nth);
    const seen = isObject(plan) ? (plan as Partial<Plan>) : undefined;
    return [
      {
        action,
        nth,
        at: since(at),
        target: seen?.target?.name ?? String(target ?? ''),
        ...(seen && { plan: seen }),
        ...(isObject(output) && !('cut' in output) && { output }),
        ...(kind === 'step.failed' && { code: typeof code === 'string' && isErrorCode(code) ? code : 'FB_ERR_INTERNAL' }),
      },
    ];
  });
}

function answersIn(records: readonly AuditRecord[], since: Since): readonly PastAnswer[] {
  const asked = new Map<string, string>();
  const levels = new Map<string, number>();
  const forms = new Map<string, FormAnswers>();
  return records.flatMap(({ kind, at, body }): readonly PastAnswer[] => {
    const { question, choice, level, vote } = body;
    if (kind === 'question.asked' && isObject(question)) asked.set(String(question.id), String(question.text));
    if (kind === 'question.escalated' && typeof level === 'number') levels.set(String(question), level);
    if (kind === 'vote.accepted' && isObject(vote) && isObject(vote.answers))
      forms.set(`${String(vote.question)} ${String(vote.choice)}`, vote.answers as FormAnswers);
    if (kind !== 'question.decided' || typeof choice !== 'string') return [];
    const id = String(question);
    const text = asked.get(id);
    const form = forms.get(`${id} ${choice}`);
    return text === undefined ? [] : [{ text, choice, at: since(at), level: levels.get(id) ?? 0, ...(form && { form }) }];
  });
}

function missingOf(known: {
  readonly records: readonly AuditRecord[];
  readonly leftOut: number;
  readonly bare: number;
  readonly alerts: number;
  readonly steps: readonly PastStep[];
}): readonly string[] {
  const { records, leftOut, bare, alerts, steps } = known;
  const counted = records.reduce(
    (sum, { body: { counts } }) =>
      sum +
      (Array.isArray(counts)
        ? counts.filter(isObject).reduce((part, { count }) => part + (typeof count === 'number' ? count : 0), 0)
        : 0),
    0,
  );
  const cut = steps.filter(({ code, output }) => code === undefined && !output).length;
  const gaps = records.filter(({ number }, index) => number !== index + 1).length > 0;
  return [
    ...(leftOut > 0 ? [`${leftOut} of its rows are not proven, and are ignored.`] : []),
    ...(gaps ? ['Records of it are missing: `firebreak audit verify` says which.'] : []),
    ...(counted > alerts ? [`${counted - alerts} of its ${counted} alerts were only counted.`] : []),
    ...(bare > 0 ? [`${bare} of its alerts are known without command line and labels.`] : []),
    ...(cut > 0 ? [`What ${cut} of its steps returned was too long for the record: it is made up.`] : []),
    ...(records.some(({ kind }) => kind === 'incident.closed') ? [] : ['It is not over: what comes next is unknown.']),
  ];
}
