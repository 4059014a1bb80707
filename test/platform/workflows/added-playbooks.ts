/** The workflows as shipped, with playbooks of the tests. */
import { deletePod, quarantinePod, snapshotPodState } from '../../../core/actions/index.ts';
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

const asksTheNextSoon = definePlaybook(
  {
    id: 'asks-the-next-soon',
    title: 'Contains, and asks the next level after two seconds',
    on: { match: { rule: 'Ask soon' }, minSeverity: 'low', requires: ['pod'] },
    uses: { quarantinePod, snapshotPodState, deletePod },
    levels: [
      { group: 'oncall', within: '2s' },
      { group: 'leads', within: '10m' },
    ],
  },
  async ({ alert, steps, ask }) => {
    await steps.quarantinePod({ pod: alert.pod, lease: '4h' });
    await steps.snapshotPodState({ pod: alert.pod });
    const answer = await ask({
      question: 'Is it expected?',
      choices: { remove: 'No: remove it', keep: 'Yes' },
      plan: { remove: await steps.deletePod.plan({ pod: alert.pod }) },
      onSilence: 'It stays contained.',
    });
    if (answer.choice === 'remove') await steps.deletePod({ pod: alert.pod }, answer.approval);
  },
);

addPlaybooks(asksTheNextSoon, ...sayingPlaybooks, ...longPlaybooks, sleepsBriefly);

export * from '../../../workflows/index.ts';
