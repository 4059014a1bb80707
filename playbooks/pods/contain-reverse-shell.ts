import { blockEgress, captureTraffic } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { askToBlock } from '../fragments/egress.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';
import { addressesIn, programOf } from '../fragments/words.ts';

export const containReverseShell = definePlaybook(
  {
    id: 'contain-reverse-shell',
    title: 'Contain a shell or program whose input and output are a network connection',
    on: {
      match: {
        any: [
          {
            rule: [
              'Netcat Remote Code Execution in Container',
              'Redirect STDOUT/STDIN to Network Connection in Container',
              'Reverse Shell from Web Server',
              'System procs network activity',
              'stdio_over_socket',
            ],
          },
          actsOf('reverse-shell'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, captureTraffic, blockEgress },
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle } = context;
    const [to] = addressesIn(alert);
    // While it is still connected: what is typed shows on the wire, and ends with the quarantine.
    const keep = () =>
      settle({ traffic: steps.captureTraffic({ pod: alert.pod, seconds: 30 }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Is ${programOf(alert)} in ${alert.pod.name} meant to talk to ${to ?? 'a connection'}?`,
        expected: 'Yes, it is meant to',
        ticket: 'A shell over the network',
        todo: 'Whoever is at the other end has typed into this pod: read the kept processes for what they ran, and look for the same address in other workloads.',
      },
      { keep, next: () => askToBlock(context) },
    );
  },
);
