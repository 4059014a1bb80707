import { openTicket } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { unhurried } from '../fragments/asked.ts';
import { fileTicket } from '../fragments/words.ts';

/** By one account, within ten minutes. */
const manyReads = 30;

export const askAboutSecretReads = definePlaybook(
  {
    id: 'ask-about-secret-reads',
    title: 'Ask about an account that reads all Secrets, or many of them',
    on: {
      match: {
        any: [
          {
            rule: [
              'Secrets of all namespaces listed',
              'Secrets listed',
              'Credentials in a ConfigMap',
              'K8s Secret Get Successfully',
              'K8s Secret Get Unsuccessfully Tried',
              'Create/Modify Configmap With Private Credentials',
            ],
            severity: ['critical', 'high', 'medium'],
          },
          // Reading one Secret is normal all day long. An account that reads many in a row is searching for something.
          { rule: 'Secret read', count: { times: manyReads, within: '10m', per: 'account' } },
        ],
      },
      minSeverity: 'low',
      requires: [],
    },
    per: 'workload',
    uses: { openTicket },
    levels: unhurried,
  },
  async (context) => {
    const { alert, ask, verdict } = context;
    const who = alert.apiRequest?.account ?? alert.process?.user ?? 'an account';
    const often = alert.rule === 'Secret read' ? ` It has read ${manyReads} within ten minutes.` : '';
    const answer = await ask({
      question: `Is ${who} meant to see these Secrets?${often} ${alert.title}`,
      choices: { expected: 'Yes, that is its job', stolen: 'No, treat them as stolen' },
      harmless: ['expected'],
      onSilence: 'Nothing is done. A ticket is filed.',
    });
    if (answer.choice === 'expected') {
      verdict('benign', `expected, said ${answer.by.join(' and ')}`);
      return;
    }
    if (answer.choice === 'stolen') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
    await fileTicket(context, {
      title: answer.choice === 'stolen' ? `Secrets were read by ${who}` : `Secrets were read by ${who}, and nobody has said why`,
      done: [
        answer.choice === 'stolen' ? `Nothing yet: ${answer.by.join(' and ')} did not expect it.` : 'Nothing: nobody answered.',
      ],
      todo: 'Remove the account’s right to list Secrets (`kubectl auth can-i --list --as ACCOUNT` shows what it has), revoke its tokens, then rotate what it saw. `firebreak` rotates for one pod at a time, from that pod’s incident.',
    });
  },
);
