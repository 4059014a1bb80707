/** The workflows as they are, plus a playbook for programs that would destroy themselves when cut off. */
import { quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { addPlaybooks } from '../playbooks/added.ts';

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
addPlaybooks(evidenceBeforeCut);

export * from '../../workflows/index.ts';
