import { openTicket } from 'firebreak/actions';
import { definePlaybook, param } from 'firebreak/playbook';
import { closePort } from '../actions/close-port.ts';

export const closeExposedPort = definePlaybook(
  {
    id: 'close-exposed-port',
    title: 'Ask whether to close the port of an attacked workload at the cloud',
    on: { match: { rule: 'Run shell untrusted' }, minSeverity: 'high', requires: ['pod'] },
    params: {
      group: param.text('sg-unknown', { about: 'Id of the security group in front of the workloads.' }),
      port: param.number(8080, { about: 'The port on which they are reached.', min: 1, max: 65_535 }),
      lease: param.duration('4h', { about: 'How long it is closed before people are asked again.' }),
    },
    uses: { closePort, openTicket },
  },
  async ({ alert, steps, ask, settle, params, verdict }) => {
    const { pod } = alert;
    const { group, port, lease } = params;
    const input = { group, port, pod };
    const answer = await ask({
      question: `Something ran a shell in ${pod.name}, which is reached through port ${port} of ${group}. Close the port?`,
      choices: { close: 'Yes', leave: 'No, leave it open' },
      plan: { close: await steps.closePort.plan(input) },
      onSilence: 'The port stays open.',
    });
    if (answer.choice === 'close') {
      await steps.closePort({ ...input, lease }, answer.approval);
      verdict('true_positive', `the port is closed, said ${answer.by.join(' and ')}`);
    }
    await settle({
      ticket: steps.openTicket({
        title: `A shell in ${pod.name}`,
        body: `Port ${port} of ${group}: ${answer.choice}`,
        labels: ['firebreak'],
      }),
    });
  },
);
