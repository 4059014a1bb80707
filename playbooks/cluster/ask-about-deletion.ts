import { openTicket } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { askIfKnown, urgent } from '../fragments/asked.ts';

export const askAboutDeletion = definePlaybook(
  {
    id: 'ask-about-deletion',
    title: 'Ask about objects, namespaces or events that are deleted in bulk through the Kubernetes API',
    on: {
      match: { rule: ['Objects deleted in bulk', 'Namespace deleted', 'Events deleted'] },
      minSeverity: 'medium',
      requires: [],
    },
    per: 'workload',
    uses: { openTicket },
    levels: urgent,
  },
  async (context) => {
    const { alert } = context;
    const who = alert.apiRequest?.account ?? 'somebody';
    await askIfKnown(context, {
      question: `Does somebody other than ${who} know about this deletion? ${alert.title}`,
      no: 'No, stop them',
      onSilence: 'Nothing is stopped. A ticket is filed.',
      ticket: `${alert.rule}, by ${who}`,
      stands: { unexpected: 'Nobody knows about it: it has to be stopped.', silence: 'Nobody answered.' },
      todo: `Revoke the credentials of ${who} first. A namespace that waits for finalizers can still be inspected. Restore from the repository or a backup, but only once they are locked out.`,
    });
  },
);
