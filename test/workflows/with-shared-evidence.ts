/** The workflows as they are, plus two playbooks that want the same evidence of one pod. */
import { collectLogs, snapshotPodState } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { addPlaybooks } from '../playbooks/added.ts';

const on = { match: { rule: 'Drop and execute new binary in container' }, minSeverity: 'critical', requires: ['pod'] } as const;

const first = definePlaybook(
  { id: 'evidence-first-body', title: 'Store the state of the pod, twice', on, uses: { snapshotPodState } },
  async ({ alert: { pod }, steps, note, settle }) => {
    const { evidence } = await settle({ evidence: steps.snapshotPodState({ pod }) });
    note(evidence.ok ? 'first has evidence' : 'first has none');
    await settle({ again: steps.snapshotPodState({ pod }) });
  },
);

const second = definePlaybook(
  { id: 'evidence-second-body', title: 'Store the same, and the logs', on, uses: { snapshotPodState, collectLogs } },
  async ({ alert: { pod }, steps, note, settle }) => {
    const { evidence } = await settle({ evidence: steps.snapshotPodState({ pod }), logs: steps.collectLogs({ pod }) });
    note(evidence.ok ? 'second has evidence' : 'second has none');
  },
);

const later = definePlaybook(
  { id: 'evidence-later-body', title: 'Store the same a while later', on, uses: { snapshotPodState } },
  async ({ alert: { pod }, steps, sleep, settle }) => {
    await sleep('40s');
    await settle({ evidence: steps.snapshotPodState({ pod }) });
  },
);
addPlaybooks(first, second, later);

export * from '../../workflows/index.ts';
