import { openTicket } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { askIfKnown, urgent } from '../fragments/asked.ts';

export const askAboutGrantedRights = definePlaybook(
  {
    id: 'ask-about-granted-rights',
    title: 'Ask about rights, tokens, certificates and admission rules that somebody grants or changes',
    on: {
      match: {
        rule: [
          'Anonymous request allowed',
          'Proxy to node',
          'Cluster administrator bound',
          'Rights given to everybody',
          'Role with all rights',
          'Role with wildcards',
          'Role with dangerous rights',
          'Role that may write',
          'RBAC changed',
          'System account made',
          'Admission control changed',
          'Token of a system account requested',
          'Token requested',
          'Token that does not end',
          'System certificate requested',
          'Certificate approved',
          'Client certificate approved',
          'Control plane identity used elsewhere',
          'Anonymous Request Allowed',
          'Attach to cluster-admin Role',
          'ClusterRole With Wildcard Created',
          'ClusterRole With Pod Exec Created',
          'Service Account Created in Kube Namespace',
          'System ClusterRole Modified/Deleted',
          'Full K8s Administrative Access',
          'Disallowed K8s User',
          'Untrusted Node Successfully Joined the Cluster',
          'Untrusted Node Unsuccessfully Tried to Join the Cluster',
        ],
      },
      minSeverity: 'medium',
      requires: [],
    },
    per: 'workload',
    uses: { openTicket },
    levels: urgent,
  },
  async (context) => {
    const { alert } = context;
    const who = alert.apiRequest?.account ?? alert.process?.user ?? 'somebody';
    await askIfKnown(context, {
      question: `Does somebody other than ${who} know about this? ${alert.title}`,
      no: 'No, revert it',
      onSilence: 'Nothing is reverted. A ticket is filed.',
      ticket: `${alert.rule}, by ${who}`,
      stands: { unexpected: 'It has to be reverted by hand.', silence: 'Nobody answered: it stays in force.' },
      todo: `First revoke the credentials of ${who}, or they will grant it again. Then delete the binding, role, token Secret or webhook that the title names. Then look for what was created with it in the meantime. A certificate cannot be revoked: its bindings can.`,
    });
  },
);
