import { captureTraffic } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { unhurried } from '../fragments/asked.ts';
import { containOrAsk, keepVolatile, removing } from '../fragments/pod.ts';
import { addressesIn, programOf } from '../fragments/words.ts';

export const askAboutNetworkTools = definePlaybook(
  {
    id: 'ask-about-network-tools',
    title: 'Ask about scanning, network tools and connections that a container does not usually have',
    on: {
      match: {
        any: [
          {
            rule: [
              'Launch Suspicious Network Tool in Container',
              'Network Connection outside Local Subnet',
              'Disallowed SSH Connection Non Standard Port',
              'Program run with disallowed http proxy env',
              'Unexpected inbound connection source',
              'Unexpected UDP Traffic',
              'Unexpected K8s NodePort Connection',
              'Interpreted procs inbound network activity',
              'Interpreted procs outbound network activity',
              'Basic Interactive Reconnaissance',
              'sched_debug_recon',
            ],
          },
          actsOf('network'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: { ...removing, captureTraffic },
    levels: unhurried,
    contains: 'pod',
  },
  async (context) => {
    const { alert, steps, settle } = context;
    const to = addressesIn(alert);
    // The target of the search shows on the wire, for as long as it goes on.
    const keep = () =>
      settle({ traffic: steps.captureTraffic({ pod: alert.pod, seconds: 60 }), volatile: keepVolatile(context) });
    await containOrAsk(
      context,
      {
        question: `Does ${programOf(alert)} in ${alert.pod.name} belong there${to.length > 0 ? `, with ${to.join(', ')}` : ''}?`,
        expected: 'Yes, it is part of its work',
        ticket: 'Unexpected network tools or connections',
        todo: 'Whoever scans the network has usually got in before: look for what this pod did in the hour before. Then give its namespace a default policy that denies what it does not need.',
      },
      { keep },
    );
  },
);
