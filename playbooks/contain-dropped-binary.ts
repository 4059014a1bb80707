import { definePlaybook } from '../core/playbook/playbook.ts';
import { actsOf } from './fragments/acts.ts';
import { urgent } from './fragments/asked.ts';
import { containOrAsk, removing } from './fragments/pod.ts';

export const containDroppedBinary = definePlaybook(
  {
    id: 'contain-dropped-binary',
    title: 'Contain a pod that ran a binary that is not in its image',
    on: {
      match: {
        any: [
          { rule: ['Drop and execute new binary in container', 'Fileless execution via memfd_create'] },
          actsOf('new-binary'),
        ],
      },
      minSeverity: 'critical',
      requires: ['pod'],
    },
    uses: removing,
    levels: urgent,
    contains: 'pod',
  },
  async (context) => {
    await containOrAsk(context, {
      question: `Is the new binary in ${context.alert.pod.name} expected?`,
      expected: 'Yes, one of our tools or builds',
      ticket: 'A new binary ran',
      todo: 'Look the program up by its hash, and find out how it got there: by which process, from which address.',
    });
  },
);
