/** The workflows as shipped, with a playbook whose regular expression may never return. */
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { addPlaybooks } from './added.ts';

const readsNames = definePlaybook(
  { id: 'reads-names', title: 'Reads a title', on: { match: { rule: 'Read' }, minSeverity: 'low', requires: [] }, uses: {} },
  async ({ alert, note }) => {
    note(/^(\w+\s?)+$/i.test(alert.title) ? 'words' : 'something else');
  },
);

addPlaybooks(readsNames);

export * from '../../workflows/index.ts';
