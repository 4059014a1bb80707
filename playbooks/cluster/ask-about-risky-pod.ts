import { openTicket, quarantineWorkload } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { unhurried } from '../fragments/asked.ts';
import { fileTicket, placeName } from '../fragments/words.ts';

export const askAboutRiskyPod = definePlaybook(
  {
    id: 'ask-about-risky-pod',
    title: 'Ask about a pod or workload that is privileged, mounts its node or has an image from outside the allowed registries',
    on: {
      match: {
        rule: [
          'Pod that opens the node',
          'Image outside the allowed registries',
          'Create Privileged Pod',
          'Create Sensitive Mount Pod',
          'Create HostNetwork Pod',
          'Create HostPid Pod',
          'Create HostIPC Pod',
          'Create Disallowed Pod',
          'Pod Created in Kube Namespace',
          'Launch Privileged Container',
          'Launch Excessively Capable Container',
          'Launch Sensitive Mount Container',
          'Launch Disallowed Container',
          'Container Run as Root User',
        ],
      },
      minSeverity: 'info',
      requires: ['workload'],
    },
    per: 'workload',
    uses: { openTicket, quarantineWorkload },
    levels: unhurried,
  },
  async (context) => {
    const { alert, steps, ask, settle, skip, verdict } = context;
    if (alert.severity === 'info' || alert.severity === 'low') skip('Recorded, and nobody is asked: node agents run like this.');
    const { kind, namespace, name, guessed } = alert.workload;
    const who = alert.apiRequest?.account ?? alert.process?.user;
    const question = `Is ${placeName(alert)} meant to run like this${who ? `, as ${who} created it` : ''}? ${alert.title}`;
    const choices = { expected: 'Yes, it is ours', look: 'Leave it as it is, and look into it' };
    const harmless = ['expected'] as const;
    const onSilence = 'It keeps running. A ticket is filed.';
    // All pods of the workload have the same template.
    const input = { workload: { kind, namespace, name } };
    const planned = guessed ? undefined : (await settle({ plan: steps.quarantineWorkload.plan(input) })).plan;
    const answer = planned?.ok
      ? await ask({
          question,
          choices: { ...choices, quarantine: 'No' },
          plan: { quarantine: planned.value },
          harmless,
          onSilence,
        })
      : await ask({ question, choices, harmless, onSilence });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine') await steps.quarantineWorkload({ ...input, lease: '4h' }, answer.approval);
    const done = {
      silence: 'Nobody answered: it keeps running.',
      look: 'It keeps running. Somebody has to look into it.',
      quarantine: 'All its pods were quarantined. No network policy stops what a privileged pod does on its node.',
    };
    await fileTicket(context, {
      title: 'A pod with more access than it should have',
      done: [done[answer.choice]],
      todo: 'Ask whoever created it, over a channel other than this incident. Pod Security (`restricted`, at least `baseline`) on the namespace rejects such pods before they run.',
    });
  },
);
