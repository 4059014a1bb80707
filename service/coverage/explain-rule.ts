import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { type SeverityOverrides, withConfiguredSeverity } from '../../core/alert/sensor.ts';
import type { Severity } from '../../core/alert/severity.ts';
import { guessWorkload } from '../../core/alert/subject.ts';
import { assess, type ResponsePolicy } from '../../core/assessment/assessment.ts';
import { whyHeldBack } from '../../core/assessment/held-back.ts';
import { policyFor, type ResponseRules } from '../../core/assessment/policy.ts';
import { type Assessment, wouldHaveText } from '../../core/assessment/response.ts';
import type { OwnConfidence } from '../../core/assessment/rule-confidence.ts';
import { ruleTables } from '../../core/assessment/rules/tables.ts';
import { type Baseline, PodStories } from '../../core/assessment/stories.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { ActiveRestraint } from '../../core/orders/restraint.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { type KnownRule, ruleSets } from '../../core/rules/known-rules.ts';
import { auditRules } from '../../integrations/sensors/kubernetes-audit/rules.ts';
import { nearestName } from '../config/nearest.ts';
import { alertOfRule } from './payloads.ts';

/** What somebody asks about: a rule that fires in a namespace. */
export interface RuleQuestion {
  readonly namespace: string;
  /** Absent: any pod of the namespace. */
  readonly pod?: string;
  readonly rule: string;
  /** Absent: the sensor whose rule set has the rule. */
  readonly sensor?: string;
  /** Absent: as the rule and the configuration say. */
  readonly severity?: Severity;
  /** A rule that fires in the same pod half a minute later. */
  readonly secondRule?: string;
}

/** What decides, from the configuration. */
export interface RuleSettings {
  readonly cluster: string;
  readonly playbooks: readonly AnyPlaybook[];
  readonly guardrails: GuardrailRules;
  readonly capWindowMinutes: number;
  readonly severities?: SeverityOverrides;
  readonly response: ResponseRules;
  /** Absent: not known, and no scope that asks for one holds. */
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  readonly workloadLabels?: Readonly<Record<string, string>>;
  readonly baseline?: Baseline;
  /** What people have ordered about a playbook's steps in this namespace. Absent: not known. */
  readonly restraintOn?: (playbook: string) => ActiveRestraint | undefined;
  /** How sure rules are, as configured. */
  readonly own?: readonly OwnConfidence[];
}

/** What would be done in one situation. */
interface ExplainedCase {
  /** Which situation, in words. */
  readonly when: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly assessment: Assessment;
  readonly playbooks: readonly { readonly id: string; readonly title: string; readonly mayContain: boolean }[];
  /** What would really be done about the pod: after playbooks and guardrails. */
  readonly done: 'contained' | 'refused' | 'not contained' | 'asked' | 'filed' | 'watched';
  /** The same in words. */
  readonly effect: string;
}

export interface ExplainedRule {
  readonly namespace: string;
  readonly pod: string | null;
  readonly sensor: string;
  readonly policy: ResponsePolicy;
  readonly cases: readonly ExplainedCase[];
  /** What a cell knows and a configuration does not. */
  readonly limits: readonly string[];
}

const secondAfterMs = 30_000;
const usualBeforeMs = 3_600_000;

/**
 * Says what would happen now if a rule fired in a namespace, by the configuration alone: the same assessment, playbooks and guardrails as in a cell.
 *
 * @throws FB_ERR_UNKNOWN_ID for a rule that nobody has, with the nearest names
 */
export function explainRule(question: RuleQuestion, settings: RuleSettings, now: number): ExplainedRule {
  const first = alertFor(question, question.rule, settings, now);
  const cases =
    question.secondRule === undefined
      ? usualCases(first, settings, now)
      : [
          caseOf('the first act in this pod, new for its workload', [first], settings, now),
          caseOf(
            `${secondAfterMs / 1_000} seconds after “${first.rule}” in the same pod`,
            [first, alertFor(question, question.secondRule, settings, now)],
            settings,
            now,
          ),
        ];
  return {
    namespace: question.namespace,
    pod: first.pod === undefined ? null : (question.pod ?? 'any'),
    sensor: first.sensor,
    policy: policyOf(first, settings),
    cases,
    limits: limitsOf(settings),
  };
}

function usualCases(first: Alert, settings: RuleSettings, now: number): readonly ExplainedCase[] {
  const alone = caseOf('the first act in this pod, new for its workload', [first], settings, now);
  if (!first.pod) return [alone];
  const other: Alert = {
    ...first,
    id: 'earlier',
    pod: { ...first.pod, name: `${first.pod.name}-other`, uid: `${first.pod.uid}-other` },
  };
  const { process: _, ...unnamed } = first;
  const act: Alert = { ...unnamed, id: 'another', sensor: 'another sensor', rule: 'another act', severity: 'medium' };
  return [
    alone,
    caseOf('another pod of the workload did the same an hour ago', [other, first], settings, now, usualBeforeMs),
    caseOf(`${secondAfterMs / 1_000} seconds after another suspicious act in the same pod`, [act, first], settings, now),
  ];
}

function policyOf(alert: Alert, settings: RuleSettings): ResponsePolicy {
  const { cluster, response, playbooks, namespaceLabels, workloadLabels } = settings;
  return policyFor(response, {
    cluster,
    namespace: alert.pod?.namespace,
    namespaceLabels,
    workloadLabels,
    playbooks: answering(playbooks, alert).map(({ id }) => id),
  });
}

/** The last alert decides; the others came before it. */
function caseOf(
  when: string,
  alerts: readonly Alert[],
  settings: RuleSettings,
  now: number,
  apartMs = secondAfterMs,
): ExplainedCase {
  const { baseline, own } = settings;
  const stories = new PodStories({ ...(baseline && { baseline }), ...(own && { own }) });
  const told = alerts.map((alert, place) => ({
    alert,
    story: stories.hear(alert, { nowMs: now - (alerts.length - 1 - place) * apartMs }),
  }));
  const last = told.at(-1);
  if (!last) throw new FirebreakError('FB_ERR_INTERNAL', 'a case has no alert');
  const { alert, story } = last;
  const assessed = assess(story, policyOf(alert, settings));
  const answers = answering(settings.playbooks, { ...alert, assessment: assessed });
  const containing = answers.find(({ contains }) => contains === 'pod');
  const restraint = containing && settings.restraintOn?.(containing.id);
  const refused = whyHeldBack(alert, { rules: settings.guardrails, playbooks: answers, restraint });
  const heldBack = assessed.would === 'contain' ? refused : undefined;
  const onSilence = refused === undefined ? assessed.onSilence : 'nothing';
  const assessment = { ...assessed, onSilence, ...(heldBack !== undefined && { heldBack }) };
  const playbooks = answers.map(({ id, title, contains }) => ({
    id,
    title,
    mayContain: contains === 'pod',
  }));
  return {
    when,
    rule: alert.rule,
    severity: alert.severity,
    assessment,
    playbooks,
    ...effectOf(assessment, playbooks),
  };
}

function effectOf(assessment: Assessment, playbooks: ExplainedCase['playbooks']): Pick<ExplainedCase, 'done' | 'effect'> {
  const { response, heldBack, pages, onSilence } = assessment;
  const then =
    playbooks.length === 0
      ? 'no playbook answers it'
      : `${playbooks.map(({ id }) => id).join(', ')} ${playbooks.length === 1 ? 'answers' : 'answer'}`;
  if (response === 'contain') {
    if (heldBack === undefined) return { done: 'contained', effect: `the pod is cut off at once; ${then}` };
    const done = playbooks.some(({ mayContain }) => mayContain) ? 'refused' : 'not contained';
    return { done, effect: `the pod is not cut off: ${heldBack}; ${then}` };
  }
  const wouldHave = wouldHaveText(assessment);
  const instead = wouldHave === undefined ? '' : `. ${wouldHave}`;
  if (response === 'ask')
    return {
      done: 'asked',
      effect: `people are asked${pages ? ', and somebody is woken' : ''}${onSilence === 'contain' ? '; if nobody answers, the pod is cut off' : ''}${instead}; ${then}`,
    };
  return response === 'file'
    ? { done: 'filed', effect: `it is filed for later${instead}; ${then}` }
    : { done: 'watched', effect: 'it is recorded only' };
}

function limitsOf(settings: RuleSettings): readonly string[] {
  const { guardrails, capWindowMinutes, response, namespaceLabels, workloadLabels } = settings;
  const { ownerShare, namespaceCap, clusterCap, longestLeaseHours } = guardrails;
  return [
    `Without people, at most ${namespaceCap} pods of a namespace and ${clusterCap} of the cluster are cut off within ${capWindowMinutes} minutes, and ${Math.round(ownerShare * 100)} % of a workload's pods (at least one). How many are cut off now, only the cell knows.`,
    settings.restraintOn === undefined
      ? 'A freeze, an observe mode or a suppression that people have ordered counts, too: `firebreak restraints list`, `firebreak suppress list`.'
      : 'Freezes and observe modes that people have ordered are counted in. A suppression is not: it hides the alert.',
    'The cell also weighs what no configuration says: privileged pods and access to the node, rollouts, who opened a shell, and earlier answers of people.',
    ...(response.scopes.some(
      (scope) =>
        (scope.namespaceLabels !== undefined && namespaceLabels === undefined) ||
        (scope.workloadLabels !== undefined && workloadLabels === undefined),
    )
      ? [
          'Some scopes go by labels, which count only if you name them: `firebreak explain --namespace-label NAME=VALUE --workload-label NAME=VALUE`.',
        ]
      : []),
    ...(longestLeaseHours === undefined
      ? []
      : [`A pod stays cut off for at most ${longestLeaseHours} hours at once; people are asked before it ends.`]),
  ];
}

const known: readonly KnownRule[] = [
  ...ruleSets.flatMap(({ rules }) => rules),
  ...auditRules.map(({ name, severity, tags }) => ({
    ...{ set: 'kubernetes-audit', part: 'audit', sensor: 'kubernetes-audit', name, severity, tags, isOff: false },
    places: ['pod' as const],
  })),
];

/** Names of rules by sensor, from the rule sets, and the rules whose confidence is known. */
function knownRule({ sensor }: RuleQuestion, name: string): KnownRule | undefined {
  const found = known.find((one) => one.name === name && (sensor === undefined || one.sensor === sensor));
  if (found) return found;
  const table = Object.entries(ruleTables).find(
    ([of, rules]) => (sensor === undefined || of === sensor) && Object.hasOwn(rules, name),
  );
  return table && ownRule(table[0], name);
}

function ownRule(sensor: string, name: string): KnownRule {
  return { set: 'own', part: 'own', sensor, name, tags: [], isOff: false, places: ['pod'] };
}

function alertFor(question: RuleQuestion, name: string, { cluster, severities = {} }: RuleSettings, now: number): Alert {
  const { namespace, severity, sensor } = question;
  const rule =
    knownRule(question, name) ??
    (isOwn(question, name, severities) ? ownRule(sensor ?? sensorOf(name, severities), name) : undefined);
  if (!rule) throw unknownRule(question, name);
  const made: Partial<Alert> = alertOfRule(rule, rule.places.includes('pod') ? 'pod' : (rule.places[0] ?? 'pod')) ?? {
    pod: { namespace, name: 'any' },
  };
  const pod = { namespace, name: question.pod ?? 'any', uid: 'any' };
  // Image and program of the example are nobody's: what is compared with must not name them.
  const { pod: _, workload: __, container, process: ____, ...rest } = made;
  const { image: _____, digest: ______, ...unnamed } = container ?? {};
  const { guessed: ___, ...guessed } = guessWorkload(pod);
  const workload = question.pod === undefined ? { kind: 'Deployment', namespace, name: 'any workload' } : guessed;
  const alert: Alert = {
    ...{ severity: 'unknown', observables: [], tags: [], mitre: [] },
    ...rest,
    ...{ id: name, cluster, sensor: rule.sensor, rule: name, title: name, time: new Date(now).toISOString() },
    ...(made.pod && { pod, workload, container: unnamed }),
  };
  // The table of the API server's audit has the severities that its alerts have.
  const configured = withConfiguredSeverity(
    rule.set === 'kubernetes-audit' ? { ...alert, severity: rule.severity as Severity } : alert,
    severities,
  );
  // Whoever asks about a severity asks about the first act; the second has the severity of its own rule.
  return severity !== undefined && name === question.rule ? { ...configured, severity } : configured;
}

/** A rule of the user's own: the configuration names it, or the question says all that is needed. */
function isOwn({ sensor, severity }: RuleQuestion, name: string, severities: SeverityOverrides): boolean {
  if (sensor !== undefined && severity !== undefined) return true;
  return Object.entries(severities).some(
    ([of, one]) => (sensor === undefined || of === sensor) && Object.hasOwn(one.severities, name),
  );
}

function sensorOf(name: string, severities: SeverityOverrides): string {
  return Object.entries(severities).find(([, one]) => Object.hasOwn(one.severities, name))?.[0] ?? 'falco';
}

function unknownRule({ sensor }: RuleQuestion, name: string): FirebreakError {
  const names = [
    ...known.flatMap((one) => (sensor === undefined || one.sensor === sensor ? [one.name] : [])),
    ...Object.entries(ruleTables).flatMap(([of, rules]) => (sensor === undefined || of === sensor ? Object.keys(rules) : [])),
  ];
  const near = nearestName(name, names);
  const parts = name
    .toLowerCase()
    .split(/\W+/)
    .filter((word) => word.length > 3);
  const alike = [...new Set(names)]
    .map((one) => ({ one, shared: parts.filter((part) => one.toLowerCase().includes(part)).length }))
    .filter(({ shared }) => shared > 0)
    .toSorted((a, b) => b.shared - a.shared)
    .slice(0, 5)
    .map(({ one }) => one);
  const meant = [...new Set([...(near === undefined ? [] : [near]), ...alike])].slice(0, 5);
  return new FirebreakError(
    'FB_ERR_UNKNOWN_ID',
    `no rule set has “${name}”${sensor === undefined ? '' : ` of ${sensor}`}${meant.length === 0 ? '' : `; did you mean ${meant.map((one) => `“${one}”`).join(', ')}?`}`,
    {
      remedy:
        'For a rule of your own, give its sensor and its severity, too. `firebreak playbooks coverage --all` lists the known rules.',
    },
  );
}
