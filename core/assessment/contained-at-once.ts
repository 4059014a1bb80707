import type { Alert } from '../alert/alert.ts';

/** Whether this alert alone is reason to contain its pod at once, if a playbook that answers it lets the pod be contained. */
export function isContainedAtOnce({ severity }: Pick<Alert, 'severity'>): boolean {
  return severity === 'critical';
}
