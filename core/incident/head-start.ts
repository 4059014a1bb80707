import type { StepCall } from '../action/step.ts';
import type { Alert } from '../alert/alert.ts';
import { isContainedAtOnce } from '../assessment/contained-at-once.ts';
import { answering } from '../playbook/answering.ts';
import type { AnyPlaybook } from '../playbook/playbook.ts';
import { incidentIdOf, type Subject, subjectTitle } from './incident.ts';

/** An alert that waited longer than this is out of date: its incident decides what to do. */
export const headStartWithinMs = 15 * 60_000;

export interface HeadStartRequest {
  readonly alert: Alert;
  readonly subject: Subject;
  /** ISO 8601: when the intake accepted it. */
  readonly receivedAt: string;
}

/**
 * The containment that the cell may begin while an alert's incident starts: of an alert that it has assessed so, and that an enabled playbook answers which lets
 * the pod be contained. None for an alert that is in doubt, does not identify a pod for certain, whose workload is a guess, or that waited too long.
 *
 * @param now milliseconds since 1970
 */
export function headStartOf(
  { alert, subject, receivedAt }: HeadStartRequest,
  { playbooks, now }: { readonly playbooks: readonly AnyPlaybook[]; readonly now: number },
): StepCall | undefined {
  const { pod, workload, severity, doubt, assessment } = alert;
  if (doubt !== undefined || pod?.uid === undefined || workload === undefined || workload.guessed === true) return undefined;
  if (now - Date.parse(receivedAt) > headStartWithinMs) return undefined;
  if (!isContainedAtOnce(alert)) return undefined;
  const playbook = answering(playbooks, alert).find(({ contains }) => contains === 'pod');
  if (!playbook) return undefined;
  const incident = incidentIdOf(subject);
  const { namespace, name, uid } = pod;
  return {
    key: `${incident}/head-start/${alert.id}/${playbook.id}/pod:${uid}/quarantinePod`,
    action: 'quarantinePod',
    input: { pod: { namespace, name, uid } },
    // The run is not known yet: whatever this incident holds, its next run holds too.
    incident: { id: incident, run: '' },
    incidentTitle: subjectTitle(subject),
    playbook: playbook.id,
    severity,
    workload,
    ownerContained: 0,
    evidence: [],
    evidenceDeadline: receivedAt,
    ...(assessment?.seal !== undefined && { assessed: assessment.seal }),
  };
}
