import { subjectOfIncident } from '../incident/incident.ts';
import { oneLine } from '../text/visible-text.ts';
import { labelsOfShown, resourceName } from './cluster-resources.ts';
import { findingText, type LookedAtSpec, type PostureFinding, postureResults } from './posture.ts';

/** API group of the reports: https://github.com/openreports/reports-api, v0.2.1 */
export const reportGroup = 'openreports.io';
export const reportVersion = 'v1alpha1';
/** Identifies our reports; others write their own into the same namespaces. */
export const reportSource = 'firebreak';

/** Kinds whose pod template `hardenWorkload` can change. */
export const reportedKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

interface ReportResult {
  readonly policy: string;
  readonly rule: string;
  readonly category: string;
  readonly result: 'pass' | 'fail' | 'warn' | 'skip';
  readonly scored: boolean;
  readonly severity?: 'high' | 'medium' | 'low';
  readonly message: string;
}

/** The desired state of an OpenReports report. Firebreak writes it, but decides nothing by it. */
export interface HardeningReport {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: {
    readonly source: string;
    readonly scope: {
      readonly apiVersion: string;
      readonly kind: string;
      readonly namespace: string;
      readonly name: string;
      readonly uid: string;
    };
    readonly summary: Readonly<Record<'pass' | 'fail' | 'warn' | 'error' | 'skip', number>>;
    readonly results: readonly ReportResult[];
  };
}

/** The workload of an incident, as returned by the API. */
export interface ReportedWorkload {
  readonly uid: string;
  readonly spec: LookedAtSpec;
  /** Why it cannot be given an AppArmor profile; absent if it can. */
  readonly noAppArmor?: string | undefined;
}

/** Returns the workload of an incident, if there are findings for its kind. */
export function reportedSubject(incident: string) {
  const subject = subjectOfIncident(incident);
  if (subject?.kind !== 'workload') return undefined;
  const { ownerKind, namespace, name } = subject;
  const kind = reportedKinds.find((one) => one === ownerKind);
  return kind && { kind, namespace, name };
}

/** Returns which rules of an incident's posture its workload keeps and breaks; undefined if there are no findings for its kind. */
export function hardeningReport(incident: string, { uid, spec, noAppArmor }: ReportedWorkload): HardeningReport | undefined {
  const subject = reportedSubject(incident);
  if (!subject) return undefined;
  const { kind, namespace, name } = subject;
  const token = { rule: tokenRule, ...(spec.automountServiceAccountToken !== false && { finding: tokenRule }) };
  const results = [...postureResults(spec), token].map((result) => resultOf(result, noAppArmor));
  const count = (result: ReportResult['result']): number => results.filter((one) => one.result === result).length;
  return {
    namespace,
    name: resourceName(`firebreak-${kind}-${name}`, incident),
    labels: labelsOfShown(incident),
    content: {
      source: reportSource,
      scope: { apiVersion: 'apps/v1', kind, namespace, name, uid },
      summary: { pass: count('pass'), fail: count('fail'), warn: count('warn'), error: 0, skip: count('skip') },
      results,
    },
  };
}

const longestMessage = 500;

/** In a posture, this is part of the account. */
const tokenRule: PostureFinding = { id: 'service-account-token', text: 'gets a token of its service account' };

const policies = {
  baseline: { policy: 'pod-security-baseline', result: 'fail', severity: 'high', scored: true },
  restricted: { policy: 'pod-security-restricted', result: 'fail', severity: 'medium', scored: true },
  // As OpenReports counts: a rule that nobody has asked for is a warning.
  neither: { policy: 'firebreak-hardening', result: 'warn', severity: 'low', scored: false },
} as const;

function resultOf({ rule, finding }: ReturnType<typeof postureResults>[number], noAppArmor: string | undefined): ReportResult {
  const { policy, result, severity, scored } = policies[rule.against ?? 'neither'];
  const about = { policy, rule: rule.id, category: 'Pod Security', scored };
  if (!finding) return { ...about, result: 'pass', message: `Passed: the check fails if it ${rule.text}.` };
  if (rule.id === 'apparmor-unset' && noAppArmor !== undefined)
    return { ...about, result: 'skip', message: oneLine(`It gets no AppArmor profile: ${noAppArmor}.`, longestMessage) };
  return { ...about, result, severity, message: oneLine(findingText(finding), longestMessage) };
}
