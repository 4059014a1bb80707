import { deletePod, openTicket, quarantinePod, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';

export const quarantineOnOrder = definePlaybook(
  {
    id: 'quarantine-on-order',
    title: 'Quarantine a pod because somebody on the roster ordered it',
    on: { match: { rule: 'Quarantine ordered by a person' }, minSeverity: 'critical', requires: ['pod'] },
    uses: { quarantinePod, snapshotPodState, deletePod, openTicket },
    levels: [
      { group: 'oncall', within: '30m' },
      { group: 'leads', within: '2h' },
    ],
    contains: 'pod',
  },
  async ({ alert, containment, steps, ask, settle, verdict }) => {
    // Keeps evidence that may be gone in a minute while the pod is cut off, even if that takes long or is refused.
    const kept = settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const quarantine = await (containment ?? steps.quarantinePod({ pod: alert.pod, lease: '4h' }));
    const filed = settle({
      ticket: steps.openTicket({
        title: `${alert.pod.namespace}/${alert.pod.name} was quarantined by order`,
        body: `${alert.title}\n\nThe pod is quarantined. People are asked what should happen to it.`,
        labels: ['firebreak', alert.severity],
      }),
    });
    await kept;
    const { planned } = await settle({ planned: steps.deletePod.plan({ pod: alert.pod }) });
    const release = await steps.quarantinePod.undo.plan(quarantine);
    const watch = await steps.quarantinePod.undo.plan(quarantine, { observed: true });
    const question = `What should happen to ${alert.pod.name}? ${alert.title}`;
    const onSilence = 'The pod stays quarantined.';
    // Anything that cannot be planned is not offered; people are asked about the rest.
    const answer = planned.ok
      ? await ask({
          question,
          choices: { release: '', watch: '', remove: '' },
          plan: { release, watch, remove: planned.value },
          onSilence,
        })
      : await ask({
          question,
          choices: { release: '', watch: '', keep: 'Keep it quarantined' },
          plan: { release, watch },
          onSilence,
        });
    if (answer.choice === 'release') {
      verdict('benign', `harmless, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod.undo(quarantine, answer.approval);
    } else if (answer.choice === 'watch') await steps.quarantinePod.undo(quarantine, answer.approval);
    else if (answer.choice === 'remove') {
      verdict('true_positive', `to be deleted, said ${answer.by.join(' and ')}`);
      await steps.deletePod({ pod: alert.pod }, answer.approval);
    } else if (answer.choice === 'keep') verdict('suspicious', `to stay quarantined, said ${answer.by.join(' and ')}`);
    await filed;
  },
);
