/** The workflows as they are, with a playbook that no count of turns ends: it is not where playbooks are. */
import { definePlaybook } from '../../../core/playbook/playbook.ts';
import { addPlaybooks } from '../../playbooks/added.ts';

const neverReturns = definePlaybook(
  {
    id: 'never-returns',
    title: 'Never returns',
    on: { match: { rule: 'Spin' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async () => {
    for (;;);
  },
);
addPlaybooks(neverReturns);

export * from '../../../workflows/index.ts';
