/** The workflows as shipped, with playbooks of the tests. */
import { snapshotPodState } from '../../../core/actions/index.ts';
import { definePlaybook } from '../../../core/playbook/playbook.ts';
import { addPlaybooks } from '../../playbooks/added.ts';
import { longPlaybooks } from '../../playbooks/long-playbooks.ts';
import { sayingPlaybooks } from '../../playbooks/saying-playbooks.ts';

const sleepsBriefly = definePlaybook(
  {
    id: 'sleeps-briefly',
    title: 'Looks again after two seconds',
    on: { match: { rule: 'Sleep briefly' }, minSeverity: 'low', requires: ['pod'] },
    uses: { snapshotPodState },
  },
  async ({ alert, sleep, steps, note }) => {
    const slept = await sleep('2s');
    await steps.snapshotPodState({ pod: alert.pod });
    note(`slept: ${slept}`);
  },
);

addPlaybooks(...sayingPlaybooks, ...longPlaybooks, sleepsBriefly);

export * from '../../../workflows/index.ts';
