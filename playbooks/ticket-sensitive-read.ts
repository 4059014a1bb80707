import { openTicket } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';

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
