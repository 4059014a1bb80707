import { openTicket } from '../../core/actions/index.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { glob } from '../../core/playbook/match.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { fileTicket } from '../fragments/words.ts';

/** A change that opens something to the outside deserves a ticket, whatever severity the audit gives it. */
const opens = [
  'Service opened on every node',
  'Service opened to the outside',
  'Ingress for all hosts',
  'Create NodePort Service',
  'Ingress Object without TLS Certificate Created',
];

export const ticketApiChange = definePlaybook(
  {
    id: 'ticket-api-change',
    title: 'Keep on record what is changed by the Kubernetes API every day, and file what opens something',
    on: {
      match: {
        any: [
          { rule: opens },
          {
            rule: [
              'RBAC of a namespace changed',
              'RBAC deleted',
              'Role that only reads',
              'Token requested by its own account',
              'All K8s Audit Events',
              'ClusterRole With Write Privileges Created',
              'Create Disallowed Namespace',
              glob('K8s * Created'),
              glob('K8s * Deleted'),
            ],
          },
        ],
      },
      minSeverity: 'info',
      requires: [],
    },
    per: 'workload',
    uses: { openTicket },
  },
  async (context) => {
    const { alert, skip } = context;
    const isOpened = opens.includes(alert.rule);
    const who = alert.apiRequest?.account ?? alert.process?.user ?? 'somebody';
    if (!isOpened && !atLeast(alert.severity, 'medium'))
      skip(`On record, and nobody is asked: ${who} did what is done every day (${alert.rule}).`);
    const { namespace, name, resource } = alert.apiRequest ?? {};
    const what = [resource, namespace, name].filter((part) => part !== undefined).join('/');
    await fileTicket(context, {
      title: `${alert.rule}, by ${who}`,
      lines: [
        what === '' ? 'What it was about the alert does not say.' : `It was about ${what}.`,
        isOpened
          ? 'Who reaches a node, or the ingress, now reaches what stands behind it. If that is not meant: type ClusterIP, or a certificate, and a policy that refuses the other at admission.'
          : 'If nobody knows why: take it back, and look in the audit log for what else this account did today.',
      ],
    });
  },
);
