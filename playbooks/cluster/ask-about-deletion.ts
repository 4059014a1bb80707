import { openTicket } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { urgent } from '../fragments/asked.ts';
import { fileTicket } from '../fragments/words.ts';

export const askAboutDeletion = definePlaybook(
  {
    id: 'ask-about-deletion',
    title: 'Ask about objects, namespaces or events that are deleted in bulk by the Kubernetes API',
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
    const { alert, ask, verdict } = context;
    const who = alert.apiRequest?.account ?? 'somebody';
    const answer = await ask({
      question: `Does somebody other than ${who} know that this is deleted? ${alert.title}`,
      choices: { expected: 'Yes, I know of it', unexpected: 'No, stop them' },
      harmless: ['expected'],
      onSilence: 'Nothing is stopped. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'unexpected') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    await fileTicket(context, {
      title: `${alert.rule}, by ${who}`,
      lines: [
        answer.choice === 'silence' ? 'Nobody answered.' : 'Nobody knows of it: it has to be stopped.',
        `End the credentials of ${who} first. A namespace that waits for finalizers can still be looked into. Restore from the repository or a backup, not before they are out.`,
      ],
    });
  },
);
