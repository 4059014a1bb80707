/** The workflows as they are, with a playbook whose regular expression may never come back. */
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { playbooks } from '../../playbooks/index.ts';

const readsNames = definePlaybook(
  { id: 'reads-names', title: 'Reads a title', on: { match: { rule: 'Read' }, minSeverity: 'low', requires: [] }, uses: {} },
  async ({ alert, note }) => {
    note(/^(\w+\s?)+$/i.test(alert.title) ? 'words' : 'something else');
  },
);

(playbooks as ListedPlaybook[]).push(readsNames);

export * from '../../workflows/index.ts';
