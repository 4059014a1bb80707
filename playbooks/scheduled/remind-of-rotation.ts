import { openTicket } from '../../core/actions/index.ts';
import { param } from '../../core/playbook/params.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

/** Only limits the value of a stolen secret: rotation after an alert belongs to other playbooks, which ask people. */
export const remindOfRotation = definePlaybook(
  {
    id: 'remind-of-rotation',
    title: 'File a ticket when a Secret should be rotated',
    on: {
      schedule: { every: '90d', about: { kind: 'Secret', namespace: 'namespace', name: 'secret' }, catchUp: '7d' },
      minSeverity: 'info',
      requires: ['workload'],
    },
    per: 'workload',
    params: {
      namespace: param.text('', { about: 'Namespace of the Secret. While it is empty, nothing runs.', longest: 63 }),
      secret: param.text('', { about: 'Name of the Secret.', longest: 253 }),
    },
    uses: { openTicket },
  },
  async ({ alert, steps }) => {
    const { namespace, name } = alert.workload;
    await steps.openTicket({
      title: `Rotate the Secret ${namespace}/${name}`,
      body: [
        'Rotation is due every 90 days, whether or not there is any sign of theft.',
        'Create the new value, roll out what uses it, check that it works, and revoke the old one last. If External Secrets or cert-manager owns it, rotate it there.',
      ].join('\n\n'),
      labels: ['firebreak', 'rotation'],
    });
  },
);
