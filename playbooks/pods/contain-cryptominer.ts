import { blockEgress } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askToBlock } from '../fragments/egress.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';

export const containCryptominer = definePlaybook(
  {
    id: 'contain-cryptominer',
    title: 'Contain a pod that mines, and block its pool for the whole workload',
    on: {
      match: {
        any: [
          {
            rule: [
              'Known Cryptominer Process Executed',
              'Detect crypto miners using the Stratum protocol',
              'Detect outbound connections to common miner pool ports',
            ],
          },
          actsOf('miner'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, blockEgress },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    const words = {
      question: `Is ${alert.pod.name} meant to mine? ${alert.title}`,
      expected: 'Expected: it is not a miner',
      ticket: 'A cryptominer',
      todo: 'Somebody brought the miner in through a way that is still open: an exposed dashboard, a vulnerability in the application, a stolen token, an image. Find that first. All replicas of the image may be mining.',
    };
    await containOrAsk(context, words, { next: () => askToBlock(context) });
  },
);
