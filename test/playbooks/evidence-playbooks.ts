/** A playbook for programs that would destroy themselves when cut off, and some that want the same evidence of one pod. */
import { collectLogs, quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const evidenceBeforeCut = definePlaybook(
  {
    id: 'evidence-before-cut',
    title: 'Keep evidence, then cut the pod off',
    on: { match: { rule: 'Drop and execute new binary in container' }, minSeverity: 'critical', requires: ['pod'] },
    uses: { quarantinePod, snapshotPodState },
    evidenceFirst: '30s',
  },
  async ({ alert, steps, settle }) => {
    const contained = steps.quarantinePod({ pod: alert.pod, lease: '4h' });
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    await contained;
  },
);

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
const nextAlert = definePlaybook(
  {
    id: 'evidence-next-alert',
    title: 'Store the same for the next alert',
    on: { ...on, match: { rule: 'Another rule' } },
    uses: { snapshotPodState },
  },
  async ({ alert: { pod }, steps, settle }) => {
    await settle({ evidence: steps.snapshotPodState({ pod }) });
  },
);
export const evidencePlaybooks: readonly ListedPlaybook[] = [evidenceBeforeCut, first, second, later, nextAlert];
