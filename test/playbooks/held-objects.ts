/** Playbooks that hold a field of a workload. */
import { scaleToZero, suspendRollout } from '../../core/actions/index.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const on = (rule: string) => ({ match: { rule }, minSeverity: 'high', requires: ['pod', 'workload'] }) as const;
const levels = [{ group: 'oncall', within: '15m', page: true }] as const;

const stopsRollouts = definePlaybook(
  { id: 'stops-rollouts', title: 'Stops rollouts', on: on('Rollout'), uses: { suspendRollout }, levels },
  async ({ alert, steps }) => {
    const { namespace, name } = alert.workload;
    await steps.suspendRollout({ deployment: { namespace, name }, lease: '4h' });
  },
);

const scalesDown = definePlaybook(
  { id: 'scales-down', title: 'Scales down', on: on('Scale'), uses: { scaleToZero }, levels },
  async ({ alert, steps, ask }) => {
    const input = { workload: { ...alert.workload, kind: 'Deployment' as const }, suspect: alert.pod };
    const answer = await ask({
      question: 'Scale it to zero?',
      choices: { yes: 'Yes', no: 'No' },
      plan: { yes: await steps.scaleToZero.plan(input) },
      onSilence: 'Nothing is done.',
    });
    if (answer.choice === 'yes') await steps.scaleToZero(input, answer.approval);
    await ask({ question: 'Is it over?', choices: { yes: 'Yes', no: 'No' }, onSilence: 'Nothing is done.' });
  },
);

export const holdingPlaybooks: readonly ListedPlaybook[] = [stopsRollouts, scalesDown];
