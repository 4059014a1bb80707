import { blockEgress, captureTraffic, listReachableSecrets } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askToBlock } from '../fragments/egress.ts';
import { keepVolatile, removing } from '../fragments/pod.ts';
import { askToRotate } from '../fragments/secrets.ts';
import { addressesIn, programOf } from '../fragments/words.ts';

export const askAboutExfiltration = definePlaybook(
  {
    id: 'ask-about-exfiltration',
    title: 'Ask about data that leaves a container, and close its way out',
    on: {
      match: {
        any: [
          {
            rule: ['Launch Remote File Copy Tools in Container', 'Exfiltrating Artifacts via Kubernetes Control Plane'],
          },
          actsOf('exfiltration'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, captureTraffic, blockEgress, listReachableSecrets },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle } = context;
    const to = addressesIn(alert).join(', ') || 'somewhere else';
    const words = {
      question: `Is ${programOf(alert)} in ${alert.pod.name} meant to copy data to ${to}?`,
      expected: 'Yes, one of our backups or copies',
      ticket: 'Data leaves a container',
      todo: 'The kept traffic shows how much went out and, if it was not encrypted, what. Ask the owner of the data whether it must be reported: for personal data, the clock is running.',
    };
    const keep = () =>
      settle({ traffic: steps.captureTraffic({ pod: alert.pod, seconds: 60 }), volatile: keepVolatile(context) });
    const extras = { keep, next: () => askToBlock(context) };
    await askToRotate(context, words, extras);
  },
);
