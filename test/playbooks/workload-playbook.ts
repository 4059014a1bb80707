/** One playbook: what a reviewed change of the list would add. */
import { quarantineWorkload } from '../../core/actions/index.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const quarantineTheWorkload = definePlaybook(
  {
    id: 'quarantine-the-workload',
    title: 'Cut all pods of a workload off',
    on: { match: { rule: 'Drop and execute new binary in container' }, minSeverity: 'critical', requires: ['workload'] },
    per: 'workload',
    uses: { quarantineWorkload },
  },
  async ({ alert, steps }) => {
    const { kind, namespace, name } = alert.workload;
    await steps.quarantineWorkload({ workload: { kind, namespace, name }, lease: '4h' });
  },
);
export const workloadPlaybooks: readonly ListedPlaybook[] = [quarantineTheWorkload];
