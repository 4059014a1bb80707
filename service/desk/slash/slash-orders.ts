import { FirebreakError } from '../../../core/errors.ts';
import { podIn } from '../../../core/orders/incident-order.ts';
import { problemOfReason, reasonToSign, tooLong } from '../../../core/text/reason.ts';
import { inline } from '../../../integrations/slack/views/text.ts';
import { incidentState } from '../../incidents/session.ts';
import { decisionsText, slackStartedText } from './slack-orders.ts';
import { incidentNamed, type SlashReply, type SlashRequest } from './slash-asking.ts';

const dialogWithinMs = 2_000;

/** The reason typed after the other words, with pasted secrets removed. Undefined if it is empty. @throws FB_ERR_REFUSED if it is too long. */
export function reasonIn(words: readonly string[]): string | undefined {
  const reason = words.filter((word, place) => place > 0 || word !== '--reason').join(' ');
  const long = tooLong(reason);
  if (long !== undefined) throw new FirebreakError('FB_ERR_REFUSED', long);
  return problemOfReason(reason) === undefined ? reasonToSign(reason) : undefined;
}

/** @throws FB_ERR_REFUSED, which says how to write the command. */
export function neededReason(words: readonly string[], written: string): string {
  const reason = reasonIn(words);
  if (reason === undefined) throw new FirebreakError('FB_ERR_REFUSED', `say why, in a few words: ${written}`);
  return reason;
}

/** Strengthens the response, so one person is enough, and it takes effect at once. Without a reason, the dialog asks for what is missing. */
export async function quarantine(asking: SlashRequest, [written, ...words]: readonly string[]): Promise<SlashReply> {
  const { session, person, command, options } = asking;
  const reason = reasonIn(words);
  const pod = podIn(written ?? '');
  if (!pod || reason === undefined) {
    const named = written === undefined ? {} : { pod: written };
    return { opens: { wish: 'quarantine', cluster: session.config.cluster, owner: person.name, ...named } };
  }
  const terms = { wish: 'quarantine', pod, severity: 'critical', reason } as const;
  const { incident } = await options.orders.start({ session, person, from: command.commandId, terms });
  return inline(slackStartedText(incident, terms), 1_000);
}

/** Strengthens the response, or ends a break-glass: one person is enough. */
export async function unfreeze(
  { session, person, command, options }: SlashRequest,
  [id, ...words]: readonly string[],
): Promise<string> {
  if (id === undefined) return decisionsText(session, 'restraint');
  const reason = neededReason(words, 'unfreeze ID REASON');
  return options.orders.end({ session, person, noun: 'restraint', id, reason, command });
}

/** `suppress list`, `suppress end ID REASON`, or the dialog that proposes one. */
export async function suppress(asking: SlashRequest, rest: readonly string[]): Promise<SlashReply> {
  const { session, person, command, options } = asking;
  const [word, id, ...words] = rest;
  if (word === 'list') return decisionsText(session, 'suppression');
  if (word !== 'end') return proposal(asking, rest);
  if (id === undefined) return decisionsText(session, 'suppression');
  const reason = neededReason(words, 'suppress end ID REASON');
  return options.orders.end({ session, person, noun: 'suppression', id, reason, command });
}

/** Returns a dialog, or why there is none. It must be open 3 s after the command. */
async function proposal(asking: SlashRequest, rest: readonly string[]): Promise<SlashReply> {
  const { session, person, options } = asking;
  const id = incidentNamed(asking, rest);
  const state = await incidentState({ ...session, withinMs: dialogWithinMs }, { id });
  const answer = await options.orders.suppressionDraft({ person, state });
  return 'text' in answer
    ? answer.text
        .split('\n')
        .map((line) => inline(line, 500))
        .join('\n')
    : answer;
}
