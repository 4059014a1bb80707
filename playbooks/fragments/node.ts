import type { collectNodeInfo, cordonNode } from '../../core/actions/index.ts';
import type { PlaybookContext } from '../../core/playbook/playbook.ts';

type NodeSteps = PlaybookContext<
  { readonly collectNodeInfo: typeof collectNodeInfo; readonly cordonNode: typeof cordonNode },
  never
>;

/** After a pod that may have escaped: keeps what is known about its node, and asks whether to keep new pods off it. Does nothing if the node is unknown. */
export async function askAboutItsNode({
  alert,
  steps,
  ask,
  settle,
}: Pick<NodeSteps, 'alert' | 'steps' | 'ask' | 'settle'>): Promise<void> {
  const { node } = alert;
  if (node === undefined) return;
  await settle({ node: steps.collectNodeInfo({ node }) });
  const { planned } = await settle({ planned: steps.cordonNode.plan({ node }) });
  if (!planned.ok) return;
  const answer = await ask({
    question: `Keep new pods off ${node}? The attack may have reached this node.`,
    choices: { cordon: 'Yes', leave: 'No, the node is fine' },
    plan: { cordon: planned.value },
    onSilence: 'The node stays as it is.',
  });
  if (answer.choice === 'cordon') await steps.cordonNode({ node, lease: '24h' }, answer.approval);
}
