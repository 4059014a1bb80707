import { openTicket } from '../../core/actions/index.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { lesserPolicies } from '../fragments/acts.ts';
import { fileTicket } from '../fragments/words.ts';

export const ticketPolicyViolation = definePlaybook(
  {
    id: 'ticket-policy-violation',
    title: 'File a ticket when a policy of Tetragon or KubeArmor that hardens or observes is hit',
    on: {
      match: { place: 'pod', any: lesserPolicies },
      minSeverity: 'info',
      requires: [],
    },
    // A hardening policy triggers repeatedly: one ticket for all pods.
    per: 'workload',
    uses: { openTicket },
  },
  async (context) => {
    const { alert, skip } = context;
    if (!atLeast(alert.severity, 'medium')) skip(`Recorded, and nobody is asked: the policy ${alert.rule} is ${alert.severity}.`);
    const isStopped = alert.tags.includes('enforced');
    await fileTicket(context, {
      title: `The policy ${alert.rule} was hit`,
      done: [isStopped ? 'It was blocked by the sensor.' : 'It was seen and allowed.'],
      todo: 'Find out which it is: either the application does this in normal operation and the policy is wrong, or somebody else does it.',
    });
  },
);
