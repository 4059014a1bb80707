import { blockEgress, captureTraffic, listReachableSecrets } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { urgent } from '../fragments/asked.ts';
import { askToBlock } from '../fragments/egress.ts';
import { containAtOnce, keepVolatile, removing } from '../fragments/pod.ts';
import { policiesAbout } from '../fragments/policies.ts';
import { askToRotate } from '../fragments/secrets.ts';
import { addressesIn, programOf } from '../fragments/words.ts';

export const askAboutExfiltration = definePlaybook(
  {
    id: 'ask-about-exfiltration',
    title: 'Ask about data that leaves a container, and close the way that it takes',
    on: {
      match: {
        any: [
          {
            rule: ['Launch Remote File Copy Tools in Container', 'Exfiltrating Artifacts via Kubernetes Control Plane'],
          },
          policiesAbout('exfiltration'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, captureTraffic, blockEgress, listReachableSecrets },
    levels: urgent,
  },
  async (context) => {
    const { alert, steps, settle } = context;
    const to = addressesIn(alert).join(', ') || 'somewhere else';
    const words = {
      question: `Is ${programOf(alert)} in ${alert.pod.name} meant to copy data to ${to}?`,
      expected: 'Yes, a backup or a copy of ours',
      ticket: 'Data leaves a container',
      todo: 'What went out is in the kept traffic, if it was not encrypted, and by its size in any case. Ask who owns the data whether it must be reported: for personal data the clock runs.',
    };
    const keep = () =>
      settle({ traffic: steps.captureTraffic({ pod: alert.pod, seconds: 60 }), volatile: keepVolatile(context) });
    const extras = { keep, next: () => askToBlock(context) };
    await (alert.severity === 'critical' ? containAtOnce(context, words, extras) : askToRotate(context, words, extras));
  },
);
