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
    const answer = await ask({
      question: `Shall ${alert.pod.name} be cut off? ${alert.title}`,
      choices: { leave: 'No, it is harmless', quarantine: 'Yes' },
      plan: { quarantine: await steps.quarantinePod.plan({ pod: alert.pod }) },
      harmless: ['leave'],
      onSilence: 'Nothing is done to the pod. A ticket is filed.',
    });
    if (answer.choice === 'leave') {
      verdict('benign', `harmless, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'quarantine') {
      verdict('suspicious', `to be cut off, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    }
    await steps.openTicket({
      title: `${alert.pod.namespace}/${alert.pod.name} was reported by a person`,
      body: `${alert.title}\n\n${answer.choice === 'silence' ? 'Nobody answered: nothing was done to the pod.' : 'The pod was quarantined.'}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
