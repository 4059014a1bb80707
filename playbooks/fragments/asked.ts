import type { openTicket } from '../../core/actions/index.ts';
import type { AskedGroup, PlaybookContext } from '../../core/playbook/playbook.ts';
import { fileTicket } from './words.ts';

/** For questions that can wait for the people at work: nobody is paged. */
export const unhurried: readonly AskedGroup[] = [
  { group: 'oncall', within: '30m' },
  { group: 'leads', within: '2h' },
];

/** For threats that may spread while nobody answers: critical ones page at once. */
export const urgent: readonly AskedGroup[] = [
  { group: 'oncall', within: '15m', page: 'critical' },
  { group: 'leads', within: '1h', page: 'critical' },
];

/**
 * Asks whether something is known that no step could do anything about, and files a ticket unless it is: people do the rest by hand.
 * @param no label of the button that calls it unknown
 */
export async function askIfKnown(
  context: Pick<PlaybookContext<{ readonly openTicket: typeof openTicket }, never>, 'alert' | 'steps' | 'ask' | 'verdict'>,
  words: {
    readonly question: string;
    readonly no: string;
    readonly onSilence: string;
    readonly ticket: string;
    /** The state to report, depending on the answer. */
    readonly stands: { readonly unexpected: string; readonly silence: string };
    readonly todo: string;
  },
): Promise<void> {
  const { ask, verdict } = context;
  const { question, no, onSilence, ticket, stands, todo } = words;
  const answer = await ask({
    question,
    choices: { expected: 'Yes, I know about it', unexpected: no },
    harmless: ['expected'],
    onSilence,
  });
  if (answer.choice === 'expected') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    return;
  }
  if (answer.choice === 'unexpected') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
  await fileTicket(context, { title: ticket, done: [stands[answer.choice]], todo });
}
