import { deletePod, openTicket, quarantinePod, rotateSecret, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';

export const containDroppedBinary = definePlaybook(
  {
    id: 'contain-dropped-binary',
    title: 'Contain a pod that ran a binary which its image does not have',
    on: {
      match: { rule: ['Drop and execute new binary in container', 'Fileless execution via memfd_create'] },
      minSeverity: 'critical',
      requires: ['pod'],
    },
    uses: { quarantinePod, snapshotPodState, rotateSecret, deletePod, openTicket },
    levels: [
      { group: 'oncall', within: '15m', page: true },
      { group: 'leads', within: '1h', page: true },
    ],
    headStart: 'quarantinePod',
  },
  async ({ alert, steps, ask, settle, verdict }) => {
    const contained = steps.quarantinePod({ pod: alert.pod, lease: '4h' });
    // What may be gone in a minute is kept while the pod is cut off, also where that takes long or is refused.
    const kept = settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const quarantine = await contained;
    // The ticket system may be down for hours: people are asked all the same.
    const filed = settle({
      ticket: steps.openTicket({
        title: `${alert.pod.namespace}/${alert.pod.name} ran a new binary`,
        body: `${alert.title}\n\nThe pod is quarantined. People are asked whether it is released, or deleted and its secrets rotated as far as they can be.`,
        labels: ['firebreak', alert.severity],
      }),
    });
    await kept;
    const answer = await ask({
      question: `Is the new binary in ${alert.pod.name} expected?`,
      choices: { release: 'Yes', remove: 'No' },
      plan: {
        release: await steps.quarantinePod.undo.plan(quarantine),
        remove: [await steps.rotateSecret.plan({ suspect: alert.pod }), await steps.deletePod.plan({ pod: alert.pod })],
      },
      onSilence: 'The pod stays quarantined.',
    });
    if (answer.choice === 'release') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod.undo(quarantine, answer.approval);
    } else if (answer.choice === 'remove') {
      verdict('true_positive', `not expected, said ${answer.by.join(' and ')}`);
      const { output } = await steps.rotateSecret({ suspect: alert.pod }, answer.approval);
      await steps.deletePod({ pod: alert.pod }, answer.approval);
      // A Secret that keeps its name would have given the pod the new value: what that rotation does can only be planned now.
      const left = { suspect: alert.pod, secrets: output.refused.map(({ secret }) => secret) };
      const plan = left.secrets.length > 0 ? await steps.rotateSecret.plan(left) : undefined;
      if (plan && plan.changes.length > 0) {
        const more = await ask({
          question: `${alert.pod.name} is deleted. Rotate what it had and could not be rotated before?`,
          choices: { rotate: 'Yes', keep: 'No, leave the old values' },
          plan: { rotate: plan },
          onSilence: 'The values that the pod had stay valid.',
        });
        if (more.choice === 'rotate') await steps.rotateSecret(left, more.approval);
      }
    }
    await filed;
  },
);
