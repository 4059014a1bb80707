import { openTicket, quarantinePod, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';

export const askAboutStartedIncident = definePlaybook(
  {
    id: 'ask-about-started-incident',
    title: 'Keep evidence of what a person reports, and ask the others whether to contain it',
    on: { match: { rule: 'Incident started by a person' }, minSeverity: 'low', requires: ['pod'] },
    uses: { snapshotPodState, quarantinePod, openTicket },
    levels: unhurried,
  },
  async ({ alert, steps, ask, settle, verdict }) => {
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const { planned } = await settle({ planned: steps.quarantinePod.plan({ pod: alert.pod }) });
    const shared = { harmless: ['leave'], onSilence: 'Nothing is done to the pod. A ticket is filed.' } as const;
    // People are asked even if the pod cannot be quarantined, or no longer can.
    const answer = planned.ok
      ? await ask({
          ...shared,
          question: `Quarantine ${alert.pod.name}? ${alert.title}`,
          choices: { leave: 'No, it is harmless', quarantine: 'Yes' },
          plan: { quarantine: planned.value },
        })
      : await ask({
          ...shared,
          question: `Is ${alert.pod.name} harmless? It cannot be quarantined: ${planned.reason}. ${alert.title}`,
          choices: { leave: 'Yes, it is harmless', look: 'No, look into it' },
        });
    if (answer.choice === 'leave') {
      verdict('benign', `harmless, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'quarantine') {
      verdict('suspicious', `to be quarantined, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    }
    if (answer.choice === 'look') verdict('suspicious', `not harmless, said ${answer.by.join(' and ')}`);
    const done = {
      silence: 'Nobody answered: nothing was done to the pod.',
      look: 'It could not be quarantined. Somebody has to look into it.',
      quarantine: 'The pod was quarantined.',
    };
    await steps.openTicket({
      title: `${alert.pod.namespace}/${alert.pod.name} was reported by a person`,
      body: `${alert.title}\n\n${done[answer.choice]}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
