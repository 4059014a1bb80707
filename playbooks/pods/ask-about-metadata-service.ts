import { blockEgress } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { unhurried } from '../fragments/asked.ts';
import { askToBlock } from '../fragments/egress.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

export const askAboutMetadataService = definePlaybook(
  {
    id: 'ask-about-metadata-service',
    title: 'Ask about a container that queries the cloud’s metadata service for the node’s credentials',
    on: {
      match: { rule: ['Contact EC2 Instance Metadata Service From Container', 'Contact cloud metadata service from container'] },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, blockEgress },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    const words = {
      question: `Does ${alert.pod.name} need the cloud’s metadata service, which ${programOf(alert)} queried?`,
      expected: 'Yes, it uses the node’s role',
      ticket: 'A container queried the metadata service',
      todo: 'It may have the credentials of the node’s role, which are valid for hours and from anywhere. Revoke that role’s sessions at the cloud, and check the cloud’s log for what they did. Give the workload its own role, and set the hop limit of the metadata service to 1.',
    };
    await containOrAsk(context, words, {
      // The other pods of the workload can reach it just as well.
      next: async (answer) => {
        if (answer !== 'silence') await askToBlock(context);
      },
    });
  },
);
