import { captureProcesses, deletePod, openTicket, quarantinePod, rotateSecret, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { actsOf } from './fragments/acts.ts';
import { answerFirst, containOrAsk, releaseOrRemove } from './fragments/pod.ts';
import { fileTicket } from './fragments/words.ts';

export const containDroppedBinary = definePlaybook(
  {
    id: 'contain-dropped-binary',
    title: 'Contain a pod that ran a binary that is not in its image',
    on: {
      match: {
        any: [
          { rule: ['Drop and execute new binary in container', 'Fileless execution via memfd_create'] },
          actsOf('new-binary'),
        ],
      },
      minSeverity: 'critical',
      requires: ['pod'],
    },
    uses: { quarantinePod, snapshotPodState, captureProcesses, rotateSecret, deletePod, openTicket },
    levels: [
      { group: 'oncall', within: '15m', page: true },
      { group: 'leads', within: '1h', page: true },
    ],
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle, containment } = context;
    if (!containment) {
      await containOrAsk(context, {
        question: `Is the new binary in ${alert.pod.name} expected?`,
        expected: 'Yes, one of our tools or builds',
        ticket: 'A new binary ran',
        todo: 'Look the program up by its hash, and find out how it got there: by which process, from which address.',
      });
      return;
    }
    // Keeps evidence that may be gone in a minute while the pod is cut off, even if that takes long or is refused.
    const kept = settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const quarantine = await containment;
    // The ticket system may be down for hours: people are asked anyway.
    const filed = settle({
      ticket: fileTicket(context, { title: 'A new binary ran', done: ['The pod is quarantined.'], todo: answerFirst }),
    });
    await kept;
    await releaseOrRemove(context, `Is the new binary in ${alert.pod.name} expected?`, quarantine, kept);
    await filed;
  },
);
