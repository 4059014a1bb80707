import { verifyImage } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';
import { containOrAsk, removing } from './fragments/pod.ts';

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
    uses: { ...removing, verifyImage },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle, note } = context;
    const { image } = await settle({ image: steps.verifyImage({ pod: alert.pod }) });
    const signature = image.ok ? image.value.output.signature : 'unknown';
    // An image that nobody could check has no consequences: otherwise a registry outage would trigger all this.
    if (signature !== 'unsigned' && !context.containment) {
      note(`Nothing is done: the signature of the running image is ${signature === 'signed' ? 'trusted' : 'unknown'}.`);
      return;
    }
    await containOrAsk(context, {
      question: `${alert.pod.name} runs an image${signature === 'unsigned' ? ' without a trusted signature' : ''}. Is it yours?`,
      expected: 'Yes, expected',
      ticket: 'An unsigned image runs',
      todo: 'Find out who built the image and how it got into the cluster. A policy that admits only signed images keeps it out.',
    });
  },
);
