import { collectNodeInfo, cordonNode, drainNode, openTicket } from '../../core/actions/index.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { urgent } from '../fragments/asked.ts';
import { fileTicket, programOf } from '../fragments/words.ts';

export const answerNodeCompromise = definePlaybook(
  {
    id: 'answer-node-compromise',
    title: 'Ask about activity on a node outside all pods',
    on: {
      match: { place: 'node', sensor: ['falco', 'tetragon', 'tracee', 'kubearmor'] },
      minSeverity: 'info',
      requires: ['node'],
    },
    per: 'node',
    uses: { collectNodeInfo, cordonNode, drainNode, openTicket },
    levels: urgent,
  },
  async (context) => {
    const { alert, steps, ask, settle, skip, verdict } = context;
    const { node } = alert;
    if (!atLeast(alert.severity, 'medium'))
      skip(`Recorded, and nobody is asked: “${alert.rule}” on ${node} is ${alert.severity}.`);
    const kept = await settle({ node: steps.collectNodeInfo({ node }) });
    const plans = await settle({
      cordon: steps.cordonNode.plan({ node }),
      drain: steps.drainNode.plan({ node: { name: node } }),
    });
    const question = `Is ${programOf(alert)} on the node ${node} expected? ${alert.title}`;
    const choices = { expected: 'Yes, maintenance or one of our agents', look: 'Leave it as it is, and look into it' };
    const shared = { question, harmless: ['expected'], onSilence: 'Nothing is done to the node. A ticket is filed.' } as const;
    const cordon = plans.cordon.ok ? plans.cordon.value : undefined;
    // A drain ends what runs there, so it is not offered if nothing of the node could be kept.
    const drain = kept.node.ok && plans.drain.ok ? plans.drain.value : undefined;
    const answer =
      cordon && drain
        ? await ask({
            ...shared,
            choices: { ...choices, cordon: 'No', drain: 'No, and the pods should go' },
            plan: { cordon, drain: [cordon, drain] },
          })
        : cordon
          ? await ask({ ...shared, choices: { ...choices, cordon: 'No' }, plan: { cordon } })
          : await ask({ ...shared, choices });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'cordon') await steps.cordonNode({ node, lease: '24h' }, answer.approval);
    if (answer.choice === 'drain') {
      await steps.cordonNode({ node, lease: '24h' }, answer.approval);
      await steps.drainNode({ node: { name: node } }, answer.approval);
    }
    const done = {
      silence: 'Nobody answered: nothing was done to the node.',
      look: 'Nothing was done to the node. Somebody has to look into it.',
      cordon: 'No new pods start on the node. What runs there keeps running: a cordon contains nothing.',
      drain: 'No new pods start on the node, and the pods that could be evicted were evicted.',
    };
    await fileTicket(context, {
      title: `“${alert.rule}” on a node`,
      done: [
        done[answer.choice],
        ...(kept.node.ok ? [] : [`No evidence of the node could be kept (${kept.node.reason}), so a drain was not offered.`]),
      ],
      todo: 'Root on a node has every Secret of every pod there, and the kubelet’s certificate. Capture memory and disk at the provider before the node is switched off. Replace the node, do not clean it. Then rotate what its pods could read.',
    });
  },
);
