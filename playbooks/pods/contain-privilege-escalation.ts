import { definePlaybook } from '../../core/playbook/playbook.ts';
import { actsOf } from '../fragments/acts.ts';
import { urgent } from '../fragments/asked.ts';
import { containOrAsk, removing } from '../fragments/pod.ts';
import { programOf } from '../fragments/words.ts';

export const containPrivilegeEscalation = definePlaybook(
  {
    id: 'contain-privilege-escalation',
    title: 'Contain a pod in which somebody becomes root: setuid, sudo, polkit, page faults',
    on: {
      match: {
        any: [
          {
            rule: [
              'Non sudo setuid',
              'Set Setuid or Setgid bit',
              'Potential Local Privilege Escalation via Environment Variables Misuse',
              'Sudo Potential Privilege Escalation',
              'Polkit Local Privilege Escalation Vulnerability (CVE-2021-4034)',
              'Unprivileged Delegation of Page Faults Handling to a Userspace Process',
              'sudoers_modification',
            ],
          },
          actsOf('privilege'),
        ],
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    uses: removing,
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    await containOrAsk(context, {
      question: `Is ${programOf(alert)} in ${alert.pod.name}${alert.process?.user ? `, as ${alert.process.user},` : ''} meant to get more rights?`,
      expected: 'Yes, it starts as root and drops its rights',
      ticket: 'Somebody gained more rights in a container',
      todo: 'Root in a container is one vulnerability away from the node: check what its security context leaves open. allowPrivilegeEscalation: false and an image without setuid programs prevent this kind of attack.',
    });
  },
);
