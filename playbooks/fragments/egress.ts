import type { blockEgress } from '../../core/actions/index.ts';
import type { PlaybookContext } from '../../core/playbook/playbook.ts';
import { addressesIn } from './words.ts';

type Blocking = PlaybookContext<{ readonly blockEgress: typeof blockEgress }, never>;

/** Asks whether to block the alert's addresses for all pods of the workload: the next replica can reach them just as this one could. */
export async function askToBlock({
  alert,
  steps,
  ask,
  settle,
}: Pick<Blocking, 'alert' | 'steps' | 'ask' | 'settle'>): Promise<void> {
  const { workload } = alert;
  const to = addressesIn(alert);
  if (workload === undefined || workload.guessed || to.length === 0) return;
  const { kind, namespace, name } = workload;
  const input = { workload: { kind, namespace, name }, to: [...to] };
  const { planned } = await settle({ planned: steps.blockEgress.plan(input) });
  if (!planned.ok) return;
  const answer = await ask({
    question: `Keep all pods of ${namespace}/${name} from reaching ${to.join(', ')}?`,
    choices: { block: 'Yes', leave: 'No, they need it' },
    plan: { block: planned.value },
    onSilence: 'The other pods can still reach it.',
  });
  if (answer.choice === 'block') await steps.blockEgress({ ...input, lease: '24h' }, answer.approval);
}
