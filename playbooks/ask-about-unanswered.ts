import { openTicket, quarantinePod, snapshotPodState } from '../core/actions/index.ts';
import { definePlaybook } from '../core/playbook/playbook.ts';
import { fileTicket } from './fragments/words.ts';

export const askAboutUnanswered = definePlaybook(
  {
    id: 'ask-about-unanswered',
    title: 'Ask what to do about a serious alert that no other playbook answers',
    on: { match: 'unanswered', minSeverity: 'high', requires: [] },
    uses: { snapshotPodState, quarantinePod, openTicket },
  },
  async (context) => {
    const { alert, steps, ask, settle, verdict } = context;
    const { namespace, name, uid } = alert.pod ?? {};
    const pod = namespace !== undefined && name !== undefined && uid !== undefined ? { namespace, name, uid } : undefined;
    const where = namespace !== undefined ? `${namespace}/${name}` : (alert.node ?? alert.cluster);
    // A playbook may exist for the rule but need the pod.
    const isLost = alert.pod !== undefined && pod === undefined;
    const question = isLost
      ? `“${alert.rule}” came from the pod ${where}, which is gone or not found: no playbook can act on it. What was it?`
      : `No playbook answers “${alert.rule}” in ${where}. What was it?`;
    const expected = 'It is expected and harmless';
    const look = 'Leave it as it is, and look into it';
    const onSilence = 'Nothing is done. A ticket is filed.';
    const harmless = ['expected'] as const;
    if (pod) await settle({ evidence: steps.snapshotPodState({ pod }) });
    // People are asked even if the pod can no longer be quarantined, or never could.
    const planned = pod && (await settle({ quarantine: steps.quarantinePod.plan({ pod }) })).quarantine;
    const answer = planned?.ok
      ? await ask({
          question,
          choices: { expected, look, quarantine: 'Quarantine the pod' },
          plan: { quarantine: planned.value },
          harmless,
          onSilence,
        })
      : await ask({ question, choices: { expected, look }, harmless, onSilence });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice !== 'silence') verdict('suspicious', `to be looked into, said ${answer.by.join(' and ')}`);
    if (answer.choice === 'quarantine' && pod) await steps.quarantinePod({ pod, lease: '4h' }, answer.approval);
    const become = {
      silence: `${'notAsked' in answer ? 'Nobody was asked' : 'Nobody answered'}: nothing was done.`,
      look: 'Nothing was done. Somebody has to look into it.',
    };
    await fileTicket(context, {
      title: alert.rule,
      done: [
        isLost ? 'Its pod is gone or not found: no playbook could act on it.' : 'No playbook answers this rule.',
        answer.choice === 'quarantine' ? 'The pod was quarantined.' : become[answer.choice],
      ],
    });
  },
);
