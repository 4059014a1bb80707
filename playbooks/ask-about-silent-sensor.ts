import { openTicket } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';

export const askAboutSilentSensor = definePlaybook(
  {
    id: 'ask-about-silent-sensor',
    title: 'Ask why a node’s sensor sends no heartbeat',
    on: { match: { rule: 'Sensor silent' }, minSeverity: 'high', requires: [] },
    uses: { openTicket },
    levels: [
      // Alerts followed by silence may mean tampering. Silence alone is mostly a restarted node, and waits a quarter of an hour.
      { group: 'oncall', within: '15m', page: 'critical' },
      { group: 'leads', within: '1h', page: true },
    ],
  },
  async ({ alert, steps, ask, verdict }) => {
    const node = alert.node ?? alert.cluster;
    const answer = await ask({
      question: `${alert.title}. Is that expected?`,
      choices: { expected: 'Yes, maintenance', unexpected: 'No, check the node' },
      harmless: ['expected'],
      onSilence: 'Nothing is done to the node, and no sensor watches it. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'unexpected') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    await steps.openTicket({
      title: `No sensor watches node ${node}`,
      body: alert.title,
      labels: ['firebreak', alert.severity],
    });
  },
);
