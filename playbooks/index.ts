import type { AnyPlaybook } from '../core/playbook/playbook.ts';
import { askAboutShell } from './ask-about-shell.ts';
import { askAboutSilentSensor } from './ask-about-silent-sensor.ts';
import { askAboutStartedIncident } from './ask-about-started-incident.ts';
import { askAboutUnanswered } from './ask-about-unanswered.ts';
import { askAboutUnsignedImage } from './ask-about-unsigned-image.ts';
import { containDroppedBinary } from './contain-dropped-binary.ts';
import { quarantineOnOrder } from './quarantine-on-order.ts';
import { ticketSensitiveRead } from './ticket-sensitive-read.ts';

export {
  askAboutShell,
  askAboutSilentSensor,
  askAboutStartedIncident,
  askAboutUnanswered,
  askAboutUnsignedImage,
  containDroppedBinary,
  quarantineOnOrder,
  ticketSensitiveRead,
};

/** A playbook in the list: its body is called by the engine only, which makes what it is called with. */
export interface ListedPlaybook extends AnyPlaybook {
  readonly run: (context: never) => Promise<void>;
}

/** Every playbook there is, in an explicit list. Which of them are enabled is configuration. */
export const playbooks: readonly ListedPlaybook[] = [
  containDroppedBinary,
  askAboutShell,
  ticketSensitiveRead,
  askAboutSilentSensor,
  askAboutUnsignedImage,
  quarantineOnOrder,
  askAboutStartedIncident,
  askAboutUnanswered,
];

/**
 * Ids of the playbooks that are enabled. Those for what no other answers are always among them: a list of playbooks must not make an alert silent
 * that somebody forgot.
 */
export function enabledIds(enabled: 'all' | readonly string[]): readonly string[] {
  const always = playbooks.filter(({ on }) => on.match === 'unanswered').map(({ id }) => id);
  return enabled === 'all' ? playbooks.map(({ id }) => id) : [...new Set([...enabled, ...always])];
}
