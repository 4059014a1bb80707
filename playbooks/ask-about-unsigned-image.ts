import { openTicket, quarantinePod, snapshotPodState, verifyImage } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';

export const askAboutUnsignedImage = definePlaybook(
  {
    id: 'ask-about-unsigned-image',
    title: 'Ask about a pod of an unsigned image that does what is often harmless',
    on: {
      match: {
        rule: ['Contact K8S API Server From Container', 'Packet socket created in container', 'k8s_api_connection'],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { verifyImage, snapshotPodState, quarantinePod, openTicket },
    levels: unhurried,
  },
  async ({ alert, steps, ask, settle, note, verdict }) => {
    const { image } = await settle({ image: steps.verifyImage({ pod: alert.pod }) });
    const signature = image.ok ? image.value.output.signature : 'unknown';
    // Nothing follows from an image that nobody could look at: else a registry that is down would start all this.
    if (signature !== 'unsigned') {
      note(`Nothing is done about it: the signature of what runs is ${signature === 'signed' ? 'a trusted one' : 'unknown'}.`);
      return;
    }
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const answer = await ask({
      question: `${alert.pod.name} runs an image that nobody who is trusted has signed. Is it yours?`,
      choices: { expected: 'Yes, expected', quarantine: 'No' },
      plan: { quarantine: await steps.quarantinePod.plan({ pod: alert.pod }) },
      harmless: ['expected'],
      onSilence: 'Nothing is done to the pod. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'quarantine') {
      verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    }
    await steps.openTicket({
      title: `An unsigned image runs in ${alert.pod.namespace}/${alert.pod.name}`,
      body: `${alert.title}\n\n${answer.choice === 'silence' ? 'Nobody answered: nothing was done to the pod.' : 'The pod was quarantined.'}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
