import type { openTicket } from '../../core/actions/index.ts';
import type { AskedGroup, PlaybookContext } from '../../core/playbook/playbook.ts';
import { fileTicket } from './words.ts';

/** For what can wait for whoever is at work: nobody is called. */
export const unhurried: readonly AskedGroup[] = [
  { group: 'oncall', within: '30m' },
  { group: 'leads', within: '2h' },
];

/** For what may spread while nobody answers: called at once on critical. */
export const urgent: readonly AskedGroup[] = [
  { group: 'oncall', within: '15m', page: 'critical' },
  { group: 'leads', within: '1h', page: 'critical' },
];

/**
 * Asks whether it is known where no step could do anything about it, and files a ticket unless it is: what is to be done, people do by hand.
 * @param no what the button says that calls it unknown
 */
export async function askIfKnown(
  context: Pick<PlaybookContext<{ readonly openTicket: typeof openTicket }, never>, 'alert' | 'steps' | 'ask' | 'verdict'>,
  words: {
    readonly question: string;
    readonly no: string;
    readonly onSilence: string;
    readonly ticket: string;
    /** How it stands, by what came of the question. */
    readonly stands: { readonly unexpected: string; readonly silence: string };
    readonly todo: string;
  },
): Promise<void> {
  const { ask, verdict } = context;
  const { question, no, onSilence, ticket, stands, todo } = words;
  const answer = await ask({
    question,
    choices: { expected: 'Yes, I know of it', unexpected: no },
    harmless: ['expected'],
    onSilence,
  });
  if (answer.choice === 'expected') {
    verdict('benign', `expected, said ${answer.by.join(' and ')}`);
    return;
  }
  if (answer.choice === 'unexpected') verdict('suspicious', `not expected, said ${answer.by.join(' and ')}`);
  await fileTicket(context, { title: ticket, lines: [stands[answer.choice], todo] });
}
