import { definePlaybook } from '../../core/playbook/playbook.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';

export const askAboutExec = definePlaybook(
  {
    id: 'ask-about-exec',
    title: 'Ask about somebody who runs commands in a pod through the Kubernetes API',
    on: {
      match: {
        rule: [
          'Exec into pod',
          'Attach to pod',
          'Ephemeral container added',
          'Port forward to pod',
          'Credentials read by exec',
          'Attach/Exec Pod',
          'EphemeralContainers Created',
          'port-forward',
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: removing,
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, containment, skip } = context;
    const who = alert.apiRequest?.account ?? alert.process?.user ?? 'somebody';
    if (alert.severity === 'low' && !containment) skip(`Recorded, and nobody is asked: ${who} did what many people do to debug.`);
    // The person whom the API server names as the actor may not decide about it: see `actors`.
    await containOrAsk(context, {
      question: `Does somebody other than ${who} know why they were in ${alert.pod.name}? ${alert.title}`,
      expected: 'Yes, I know about it',
      ticket: 'Commands were run in a pod',
      todo: `If it was not ${who} at the keyboard, their credentials are stolen. Revoke them at the identity provider: this pod is only where they were seen. Check the audit log for everything this account did today.`,
    });
  },
);
