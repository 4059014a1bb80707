import { openTicket } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { urgent } from '../fragments/asked.ts';
import { fileTicket } from '../fragments/words.ts';

export const askAboutGrantedRights = definePlaybook(
  {
    id: 'ask-about-granted-rights',
    title: 'Ask about rights, tokens, certificates and admission rules that somebody gives or changes',
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
    const { alert, ask, verdict } = context;
    const who = alert.apiRequest?.account ?? alert.process?.user ?? 'somebody';
    const answer = await ask({
      question: `Does somebody other than ${who} know of this? ${alert.title}`,
      choices: { expected: 'Yes, I know of it', unexpected: 'No, take it back' },
      harmless: ['expected'],
      onSilence: 'Nothing is taken back. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'unexpected') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    await fileTicket(context, {
      title: `${alert.rule}, by ${who}`,
      lines: [
        answer.choice === 'silence' ? 'Nobody answered: it is in force.' : 'It is to be taken back, by hand.',
        `Order: first end the credentials of ${who}, or they give it again; then delete the binding, role, token Secret or webhook that the title names; then look for what was made with it meanwhile. A certificate cannot be revoked: its bindings can.`,
      ],
    });
  },
);
