import { openTicket } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { fileTicket } from './fragments/words.ts';

/** Below high nobody is asked, and below medium nothing is done at all: the incident records what was seen. */
export const ticketUnanswered = definePlaybook(
  {
    id: 'ticket-unanswered',
    title: 'File one ticket per workload for each rule of medium severity that no other playbook answers',
    on: { match: 'unanswered', minSeverity: 'medium', requires: [] },
    per: 'workload',
    uses: { openTicket },
  },
  async (context) => {
    const { alert, skip } = context;
    if (alert.severity !== 'medium') skip('People are asked about it instead.');
    await fileTicket(context, {
      title: `“${alert.rule}”`,
      done: ['Nothing: no playbook answers this rule.'],
      todo: 'Look into it. `firebreak playbooks coverage --rules FOLDER` lists all rules that no playbook answers.',
    });
  },
);
