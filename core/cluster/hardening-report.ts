import { type HardenedSpec, type HardeningFinding, hardeningFindings } from '../action/hardening.ts';
import { subjectOfIncident } from '../incident/incident.ts';
import { oneLine } from '../text/visible-text.ts';
import { labelsOfShown, resourceName } from './cluster-resources.ts';

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
  readonly spec: HardenedSpec;
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

/** What the workload of an incident has and lacks of what `hardenWorkload` would give it; undefined where there are no findings for its kind. */
export function hardeningReport(incident: string, { uid, spec, noAppArmor }: ReportedWorkload): HardeningReport | undefined {
  const subject = reportedSubject(incident);
  if (!subject) return undefined;
  const { kind, namespace, name } = subject;
  const results = hardeningFindings(spec).map((finding) => resultOf(finding, noAppArmor));
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

function resultOf({ hardening, ofRestricted, lacks }: HardeningFinding, noAppArmor: string | undefined): ReportResult {
  const about = {
    policy: ofRestricted ? 'pod-security-restricted' : 'firebreak-hardening',
    rule: hardening,
    category: 'Pod Security',
    // As OpenReports counts: what nobody has asked for is a warning.
    scored: ofRestricted,
  };
  if (lacks.length === 0) return { ...about, result: 'pass', message: 'The pod template has it.' };
  if (hardening === 'appArmor' && noAppArmor !== undefined)
    return { ...about, result: 'skip', message: oneLine(`It is given none: ${noAppArmor}.`, longestMessage) };
  return {
    ...about,
    result: ofRestricted ? 'fail' : 'warn',
    severity: severityOf(lacks, ofRestricted),
    message: oneLine(`hardenWorkload would change: ${lacks.join('; ')}.`, longestMessage),
  };
}

function severityOf(lacks: readonly string[], ofRestricted: boolean): 'high' | 'medium' | 'low' {
  if (lacks.some((line) => /\.privileged\b/.test(line))) return 'high';
  return ofRestricted ? 'medium' : 'low';
}
