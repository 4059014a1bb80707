import { definePlaybook } from '../core/playbook/playbook.ts';
import { containOrAsk, removing } from './fragments/pod.ts';

/**
 * Whatever rule it was, and whatever else answers it: what the assessment says to contain is contained, and people are asked what becomes of it. It is always
 * enabled, so it names no group: those who decide on incidents are asked.
 */
export const containUnanswered = definePlaybook(
  {
    id: 'contain-unanswered',
    title: 'Contain a pod if the assessment says so and no other playbook that answers may',
    on: { match: 'unanswered', minSeverity: 'unknown', requires: ['pod'] },
    uses: removing,
    contains: 'pod',
  },
  async (context) => {
    const { alert } = context;
    await containOrAsk(context, {
      question: `Is “${alert.rule}” expected in ${alert.pod.name}?`,
      expected: 'Yes, it is expected',
      ticket: `“${alert.rule}”`,
      todo: 'No playbook of its own says what to do about this rule in a contained pod: find out what ran, and who started it.',
    });
  },
);
