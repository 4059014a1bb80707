import { assessedAlertsIn, strongestByPod } from '../assessment/assessed-alerts.ts';
import { responses, wouldHaveText } from '../assessment/response.ts';
import type { AuditRecord } from '../audit/audit.ts';
import type { ShownAssessment } from './console.schema.ts';

const mostShown = 20;

/** What was decided about the pods of an incident and why, strongest first. */
export function assessmentsOf(records: readonly AuditRecord[]): ShownAssessment[] {
  const alerts = records.filter(({ kind }) => kind === 'incident.opened' || kind === 'alert.joined');
  return strongestByPod(alerts.flatMap(({ body }) => assessedAlertsIn(body)))
    .toSorted((a, b) => responses.indexOf(a.assessment.would) - responses.indexOf(b.assessment.would))
    .slice(0, mostShown)
    .map(({ rule, severity, pod, assessment }) => {
      const { response, pages, mode, profile, scope, reasons } = assessment;
      return {
        ...{ rule, severity, response, pages, mode, profile, scope },
        pod: pod ? `${pod.namespace}/${pod.name}` : null,
        wouldHave: wouldHaveText(assessment) ?? null,
        reasons: [...reasons],
      };
    });
}
