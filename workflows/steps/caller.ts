import type { StepCall } from '../../core/action/step.ts';
import type { Alert } from '../../core/alert/alert.ts';

/** The caller of a step: a body of a playbook. */
export interface Caller {
  readonly playbook: string;
  readonly subjectKey: string;
  /** When the body started, in milliseconds since 1970: its alert was known by then. Absent: the engine itself asks. */
  readonly startedAt?: number;
  readonly workload: StepCall['workload'];
  /** The alert that the body runs for. */
  readonly alert?: Alert;
  /** Doubt about that alert. */
  readonly doubt?: string | undefined;
}
