import { openTicket } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { fileTicket } from './fragments/words.ts';

export const ticketSensitiveRead = definePlaybook(
  {
    id: 'ticket-sensitive-read',
    title: 'File a ticket for a read of a sensitive file',
    on: {
      match: {
        rule: [
          'Read sensitive file untrusted',
          'Read sensitive file trusted after startup',
          'Directory traversal monitored file read',
          'Create Symlink Over Sensitive Files',
          'Create Hardlink Over Sensitive Files',
          'Read Shell Configuration File',
        ],
      },
      minSeverity: 'medium',
      requires: [],
    },
    per: 'workload',
    // Also on a node, where it is mostly done by an agent.
    priority: 1,
    exclusive: true,
    uses: { openTicket },
  },
  async (context) => {
    await fileTicket(context, {
      title: context.alert.rule,
      done: ['Nothing, and nobody was asked.'],
      todo: 'Find out whether the program needs the file. If it does, write an exception into the rule.',
    });
  },
);
