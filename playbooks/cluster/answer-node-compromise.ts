import { collectNodeInfo, cordonNode, drainNode, openTicket } from '../../core/actions/index.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { urgent } from '../fragments/asked.ts';
import { fileTicket, programOf } from '../fragments/words.ts';

export const answerNodeCompromise = definePlaybook(
  {
    id: 'answer-node-compromise',
    title: 'Ask about what happens on a node outside of all pods',
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
      skip(`On record, and nobody is asked: “${alert.rule}” on ${node} is ${alert.severity}.`);
    const kept = await settle({ node: steps.collectNodeInfo({ node }) });
    const plans = await settle({
      cordon: steps.cordonNode.plan({ node }),
      drain: steps.drainNode.plan({ node: { name: node } }),
    });
    const question = `Is ${programOf(alert)} on the node ${node} expected? ${alert.title}`;
    const choices = { expected: 'Yes, maintenance or an agent of ours', look: 'Leave it as it is, and look into it' };
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
      look: 'It is to be looked into: nothing was done to the node.',
      cordon: 'New pods are kept from it. What runs there runs on, and a cordon contains nothing.',
      drain: 'New pods are kept from it, and those that could go were sent away.',
    };
    await fileTicket(context, {
      title: `“${alert.rule}” on a node`,
      lines: [
        done[answer.choice],
        ...(kept.node.ok ? [] : [`Nothing of the node could be kept (${kept.node.reason}), so a drain was not offered.`]),
        'Who is root on a node has every Secret of every pod there, and its kubelet’s certificate. Take memory and disk at the provider before it is switched off; replace the node, do not clean it; then rotate what its pods could read.',
      ],
    });
  },
);
