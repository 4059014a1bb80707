import type { Alert } from '../alert/alert.ts';
import { type Response, responses } from './response.ts';

type Assessed = Pick<Alert, 'assessment'>;

/** Whether this alert is reason to contain its pod at once, if a playbook that answers it lets the pod be contained: its cell has assessed it so. */
export function isContainedAtOnce({ assessment }: Assessed): boolean {
  return assessment?.response === 'contain';
}

/**
 * What is done about an alert; where nothing may be done, what mode `contain` would do. People are asked about one that no cell has assessed: what is not known
 * never weakens.
 */
export function responseTo({ assessment }: Assessed): Response {
  if (assessment === undefined) return 'ask';
  return assessment.mode === 'observe' ? assessment.would : assessment.response;
}

/** Whether people may be asked about an alert, before or after its pod is contained. */
export function isAskedAbout(alert: Assessed): boolean {
  return strengthOf(responseTo(alert)) >= strengthOf('ask');
}

/** Whether more is done about `alert` than about `other`. A question that wakes somebody is more than one that does not. */
export function isStronger(alert: Assessed, other: Assessed): boolean {
  const [one, two] = [responseTo(alert), responseTo(other)].map(strengthOf);
  return one === two ? alert.assessment?.pages === true && other.assessment?.pages === false : Number(one) > Number(two);
}

function strengthOf(response: Response): number {
  return responses.length - responses.indexOf(response);
}
