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
    title: 'Record everyday changes made through the Kubernetes API, and file a ticket for what opens something',
    on: {
      match: {
        any: [
          { rule: opens },
          {
            rule: [
              'Pod that opens the node (refused)',
              'Static pod outside of kube-system (refused)',
              'Image outside the allowed registries (refused)',
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
      skip(`Recorded, and nobody is asked: ${who} did what is done every day (${alert.rule}).`);
    const { namespace, name, resource } = alert.apiRequest ?? {};
    const what = [resource, namespace, name].filter((part) => part !== undefined).join('/');
    await fileTicket(context, {
      title: `${alert.rule}, by ${who}`,
      done: [what === '' ? 'Nothing. The alert does not say what it was about.' : `Nothing. It was about ${what}.`],
      todo: isOpened
        ? 'Whoever reaches a node or the ingress now reaches what is behind it. If that is not intended: use type ClusterIP or a certificate, and a policy that rejects anything else at admission.'
        : 'If nobody knows why: revert it, and check the audit log for what else this account did today.',
    });
  },
);
