import { definePack } from '../core/playbook/pack.ts';
import { askAboutShell } from './ask-about-shell.ts';
import { askAboutSilentSensor } from './ask-about-silent-sensor.ts';
import { askAboutStartedIncident } from './ask-about-started-incident.ts';
import { askAboutUnanswered } from './ask-about-unanswered.ts';
import { askAboutUnsignedImage } from './ask-about-unsigned-image.ts';
import { answerNodeCompromise } from './cluster/answer-node-compromise.ts';
import { askAboutCloudChange } from './cluster/ask-about-cloud-change.ts';
import { askAboutDeletion } from './cluster/ask-about-deletion.ts';
import { askAboutExec } from './cluster/ask-about-exec.ts';
import { askAboutGrantedRights } from './cluster/ask-about-granted-rights.ts';
import { askAboutRiskyPod } from './cluster/ask-about-risky-pod.ts';
import { askAboutSecretReads } from './cluster/ask-about-secret-reads.ts';
import { ticketApiChange } from './cluster/ticket-api-change.ts';
import { containDroppedBinary } from './contain-dropped-binary.ts';
import { containUnanswered } from './contain-unanswered.ts';
import { askAboutCredentialSearch } from './pods/ask-about-credential-search.ts';
import { askAboutExfiltration } from './pods/ask-about-exfiltration.ts';
import { askAboutInstalledTools } from './pods/ask-about-installed-tools.ts';
import { askAboutKernelChange } from './pods/ask-about-kernel-change.ts';
import { askAboutKubernetesApi } from './pods/ask-about-kubernetes-api.ts';
import { askAboutMetadataService } from './pods/ask-about-metadata-service.ts';
import { askAboutNetworkTools } from './pods/ask-about-network-tools.ts';
import { askAboutNewBinary } from './pods/ask-about-new-binary.ts';
import { askAboutPersistence } from './pods/ask-about-persistence.ts';
import { containContainerEscape } from './pods/contain-container-escape.ts';
import { containCryptominer } from './pods/contain-cryptominer.ts';
import { containExploitedApplication } from './pods/contain-exploited-application.ts';
import { containPrivilegeEscalation } from './pods/contain-privilege-escalation.ts';
import { containProcessInjection } from './pods/contain-process-injection.ts';
import { containReverseShell } from './pods/contain-reverse-shell.ts';
import { stopDestruction } from './pods/stop-destruction.ts';
import { ticketPolicyViolation } from './pods/ticket-policy-violation.ts';
import { quarantineOnOrder } from './quarantine-on-order.ts';
import { drillQuarantine } from './scheduled/drill-quarantine.ts';
import { remindOfRotation } from './scheduled/remind-of-rotation.ts';
import { ticketSensitiveRead } from './ticket-sensitive-read.ts';
import { ticketUnanswered } from './ticket-unanswered.ts';

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

/** The playbooks we ship, as the pack `firebreak`: an explicit list. Which of them are enabled is configuration. */
export const shippedPack = definePack({
  name: 'firebreak',
  version: '0.1.0',
  playbooks: [
    containDroppedBinary,
    askAboutShell,
    ticketSensitiveRead,
    askAboutNewBinary,
    containContainerEscape,
    askAboutKernelChange,
    containReverseShell,
    containExploitedApplication,
    askAboutCredentialSearch,
    askAboutMetadataService,
    askAboutKubernetesApi,
    containProcessInjection,
    stopDestruction,
    askAboutNetworkTools,
    askAboutInstalledTools,
    askAboutExfiltration,
    askAboutPersistence,
    containPrivilegeEscalation,
    containCryptominer,
    ticketPolicyViolation,
    askAboutRiskyPod,
    askAboutExec,
    askAboutSecretReads,
    askAboutGrantedRights,
    askAboutDeletion,
    ticketApiChange,
    askAboutCloudChange,
    answerNodeCompromise,
    askAboutSilentSensor,
    askAboutUnsignedImage,
    quarantineOnOrder,
    askAboutStartedIncident,
    remindOfRotation,
    drillQuarantine,
    containUnanswered,
    askAboutUnanswered,
    ticketUnanswered,
  ],
});

/** Every shipped playbook, by its full id. */
export const { playbooks } = shippedPack;
