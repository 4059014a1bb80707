import { openTicket, quarantinePod, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { unhurried } from './fragments/asked.ts';
import { askIfExpected, standsAfter } from './fragments/pod.ts';

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
  async (context) => {
    const { alert, steps, settle, verdict } = context;
    // Its rule is only a notice: nothing is done to the pod automatically, but evidence that may be gone in a minute is kept.
    await settle({ evidence: steps.snapshotPodState({ pod: alert.pod }) });
    const answer = await askIfExpected(context, `Is the shell in ${alert.pod.name} yours, or expected?`);
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine') await steps.quarantinePod({ pod: alert.pod, lease: '4h' }, answer.approval);
    await steps.openTicket({
      title: `A shell in ${alert.pod.namespace}/${alert.pod.name}`,
      body: `${alert.title}\n\n${standsAfter[answer.choice]}`,
      labels: ['firebreak', alert.severity],
    });
  },
);
