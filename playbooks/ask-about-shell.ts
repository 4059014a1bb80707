import { openTicket, quarantinePod, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';

export const askAboutShell = definePlaybook(
  {
    id: 'ask-about-shell',
    title: 'Ask whether an interactive shell in a container is expected',
    on: {
      match: { rule: ['Terminal shell in container', 'Run shell untrusted', 'System user interactive'] },
      minSeverity: 'info',
      requires: ['pod'],
    },
    uses: { snapshotPodState, quarantinePod, openTicket },
    levels: unhurried,
  },
  async ({ alert, steps, ask, settle, verdict }) => {
    // Its rule is only a notice: nothing automatic is done to the pod, but what may be gone in a minute is kept.
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const answer = await ask({
      question: `Is the shell in ${alert.pod.name} yours, or expected?`,
      choices: { expected: 'Yes, expected', quarantine: 'No' },
      plan: { quarantine: await steps.quarantinePod.plan({ pod: alert.pod }) },
      harmless: ['expected'],
      onSilence: 'Nothing is done to the pod. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'quarantine') {
      verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
      await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    }
    await steps.openTicket({
      title: `A shell in ${alert.pod.namespace}/${alert.pod.name}`,
      body: `${alert.title}\n\n${answer.choice === 'silence' ? 'Nobody answered: nothing was done to the pod.' : 'The pod was quarantined.'}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
