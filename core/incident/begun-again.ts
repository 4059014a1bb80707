import type { HaltedRunReport } from '../decide/control.ts';
import { shortIncidentId } from './incident.ts';

/** Who can have an incident begun again, how, and what is lost by it. `incident`: its short id. */
export function howToRerun(incident: string): string {
  return (
    'When it is corrected, anyone on the roster can begin this incident again while it is open: ' +
    `firebreak incidents rerun ${incident} --reason "playbook corrected" --as YOU --key FILE. Open questions are then asked again, without their votes.`
  );
}

/**
 * Whose body it was, as far as the cell knows: it has heard the alerts, and so which playbooks run. Which of several was at work only their runner could say,
 * and a body that has left its sandbox speaks for that.
 */
export function whoHalted(playbooks: readonly string[] = []): string {
  const [only, ...others] = playbooks;
  if (only === undefined) return 'its playbook has ended its process twice';
  if (others.length === 0) return `its playbook ${only} has ended its process twice`;
  return `one of its playbooks (${playbooks.join(', ')}) has ended its process twice`;
}

/** What people are told of a run that is set aside. */
export function haltedRunText({
  incident,
  why,
  playbooks,
  contained,
  cluster,
}: HaltedRunReport & { readonly cluster: string }): string {
  const stay = contained.length === 1 ? '1 pod stays' : `${contained.length} pods stay`;
  const pods = contained.length === 0 ? 'Nothing of it is contained' : `${stay} contained: ${contained.join(', ')}`;
  return (
    `This incident is set aside: ${whoHalted(playbooks)} (${why}). ${pods}. ` +
    `It asks nothing more, and hears no answer. ${howToRerun(shortIncidentId(incident.id, cluster))}`
  );
}

/** What people are told of a run that a person has ended, so that the cell begins it again. */
export function rerunText({
  name,
  reason,
  build,
}: {
  readonly name: string;
  readonly reason: string;
  readonly build?: string | undefined;
}): string {
  const by = build === undefined ? '' : ` with build ${build}`;
  return `${name} had this incident begun again${by}: ${reason}. Open questions are asked again, without their earlier votes.`;
}
