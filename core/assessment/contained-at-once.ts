import type { Alert } from '../alert/alert.ts';

/** Whether this alert is reason to contain its pod at once, if a playbook that answers it lets the pod be contained: its cell has assessed it so. */
export function isContainedAtOnce({ assessment }: Pick<Alert, 'assessment'>): boolean {
  return assessment?.response === 'contain';
}
