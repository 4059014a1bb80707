import { openTicket, quarantinePod, snapshotPodState, verifyImage } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';
import { askIfExpected, standsAfter } from './fragments/pod.ts';

export const askAboutUnsignedImage = definePlaybook(
  {
    id: 'ask-about-unsigned-image',
    title: 'Ask about a pod with an unsigned image that does something often harmless',
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
  async (context) => {
    const { alert, steps, settle, note, verdict } = context;
    const { image } = await settle({ image: steps.verifyImage({ pod: alert.pod }) });
    const signature = image.ok ? image.value.output.signature : 'unknown';
    // An image that nobody could check has no consequences: otherwise a registry outage would trigger all this.
    if (signature !== 'unsigned') {
      note(`Nothing is done: the signature of the running image is ${signature === 'signed' ? 'trusted' : 'unknown'}.`);
      return;
    }
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const answer = await askIfExpected(context, `${alert.pod.name} runs an image without a trusted signature. Is it yours?`);
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine') await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    await steps.openTicket({
      title: `An unsigned image runs in ${alert.pod.namespace}/${alert.pod.name}`,
      body: `${alert.title}\n\n${standsAfter[answer.choice]}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
