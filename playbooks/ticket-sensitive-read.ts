import { openTicket } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';

export const ticketSensitiveRead = definePlaybook(
  {
    id: 'ticket-sensitive-read',
    title: 'File a ticket for a read of a sensitive file',
    on: {
      match: {
        rule: ['Read sensitive file untrusted', 'Read sensitive file trusted after startup', 'Search Private Keys or Passwords'],
      },
      minSeverity: 'medium',
      requires: [],
    },
    per: 'workload',
    uses: { openTicket },
  },
  async ({ alert, steps }) => {
    const where = alert.pod ? `${alert.pod.namespace}/${alert.pod.name}` : (alert.node ?? alert.cluster);
    await steps.openTicket({
      title: `${alert.rule} in ${where}`,
      body: [alert.title, alert.process?.commandLine && `Command line: ${alert.process.commandLine}`]
        .filter(Boolean)
        .join('\n\n'),
      labels: ['firebreak', alert.severity],
    });
  },
);
