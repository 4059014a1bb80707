import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';
import { containOrAsk, removing } from './fragments/pod.ts';

export const askAboutShell = definePlaybook(
  {
    id: 'ask-about-shell',
    title: 'Ask whether an interactive shell in a container is expected',
    on: {
      match: { rule: ['Terminal shell in container', 'Run shell untrusted', 'System user interactive'] },
      minSeverity: 'info',
      requires: ['pod'],
    },
    uses: removing,
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    await containOrAsk(context, {
      question: `Is the shell in ${context.alert.pod.name} yours, or expected?`,
      expected: 'Yes, expected',
      ticket: 'A shell in a container',
      todo: 'Find out who opened it: the API server’s audit log names whoever used exec. A shell that nobody opened from outside was started by what runs in the pod.',
    });
  },
);
