/** The workflows as they are, plus playbooks that no author may publish: they live outside the playbooks' folder. */
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

interface Activator {
  pushCommand(command: object): void;
}

/** Gives Temporal a command past the engine, as code that has left the sandbox could. */
const startsAnother = definePlaybook(
  {
    id: 'starts-another',
    title: 'Starts another workflow',
    on: { match: { rule: 'Start another' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async ({ sleep }) => {
    const { __TEMPORAL_ACTIVATOR__: activator } = globalThis as unknown as { readonly __TEMPORAL_ACTIVATOR__: Activator };
    activator.pushCommand({ startChildWorkflowExecution: { seq: 1, workflowId: 'another', workflowType: 'incident' } });
    await sleep('1m');
  },
);
addPlaybooks(neverReturns);
addPlaybooks(startsAnother);

export * from '../../../workflows/index.ts';
