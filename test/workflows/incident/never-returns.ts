/** The workflows as they are, plus a playbook that no limit of turns ends: it lives outside the playbooks' folder. */
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
