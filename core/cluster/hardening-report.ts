import { subjectOfIncident } from '../incident/incident.ts';
import { oneLine } from '../text/visible-text.ts';
import { labelsOfShown, resourceName } from './cluster-resources.ts';
import { findingText, type LookedAtSpec, type PostureFinding, postureResults } from './posture.ts';

/** Where reports are in the API: https://github.com/openreports/reports-api, v0.2.1 */
export const reportGroup = 'openreports.io';
export const reportVersion = 'v1alpha1';
/** Says whose a report is; others write reports of their own into the same namespaces. */
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

/** A report of OpenReports as it should be. Firebreak writes it, and decides nothing by it. */
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

/** A workload that an incident is about, as the API has it. */
export interface ReportedWorkload {
  readonly uid: string;
  readonly spec: LookedAtSpec;
  /** Why it cannot be given an AppArmor profile; absent where it can. */
  readonly noAppArmor?: string | undefined;
}

/** The workload of an incident, if there are findings for its kind. */
export function reportedSubject(incident: string) {
  const subject = subjectOfIncident(incident);
  if (subject?.kind !== 'workload') return undefined;
  const { ownerKind, namespace, name } = subject;
  const kind = reportedKinds.find((one) => one === ownerKind);
  return kind && { kind, namespace, name };
}

/** What the workload of an incident keeps and breaks of the rules that an incident's posture is judged by; undefined where there are no findings for its kind. */
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

/** A posture says it of the account. */
const tokenRule: PostureFinding = { id: 'service-account-token', text: 'is given a token of its service account' };

const policies = {
  baseline: { policy: 'pod-security-baseline', result: 'fail', severity: 'high', scored: true },
  restricted: { policy: 'pod-security-restricted', result: 'fail', severity: 'medium', scored: true },
  // As OpenReports counts: what nobody has asked for is a warning.
  neither: { policy: 'firebreak-hardening', result: 'warn', severity: 'low', scored: false },
} as const;

function resultOf({ rule, finding }: ReturnType<typeof postureResults>[number], noAppArmor: string | undefined): ReportResult {
  const { policy, result, severity, scored } = policies[rule.against ?? 'neither'];
  const about = { policy, rule: rule.id, category: 'Pod Security', scored };
  if (!finding) return { ...about, result: 'pass', message: `It is not so that it ${rule.text}.` };
  if (rule.id === 'apparmor-unset' && noAppArmor !== undefined)
    return { ...about, result: 'skip', message: oneLine(`It is given none: ${noAppArmor}.`, longestMessage) };
  return { ...about, result, severity, message: oneLine(findingText(finding), longestMessage) };
}
