import { definePack } from '../core/playbook/pack.ts';
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

/** What is shipped, as the pack `firebreak`: an explicit list. Which of its playbooks are enabled is configuration. */
export const shippedPack = definePack({
  name: 'firebreak',
  version: '0.1.0',
  playbooks: [
    containDroppedBinary,
    askAboutShell,
    ticketSensitiveRead,
    askAboutSilentSensor,
    askAboutUnsignedImage,
    quarantineOnOrder,
    askAboutStartedIncident,
    askAboutUnanswered,
  ],
});

/** Every playbook that is shipped, under its full id. */
export const { playbooks } = shippedPack;
