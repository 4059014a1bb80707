import { type Regime, regimes, stages } from '../../../core/compliance/notification.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { newsText } from '../../../integrations/slack/views/text.ts';
import { incidentState } from '../../incidents/session.ts';
import { incidentNamed, type SlashReply, type SlashRequest } from './slash-asking.ts';
import { neededReason } from './slash-orders.ts';

const written = {
  notify: `notify ID ${regimes.join('|')} REASON`,
  sent: `sent ID ${regimes.join('|')} ${stages.join('|')} REFERENCE`,
} as const;

/**
 * A person decides that authorities have to be notified of an incident. The time counts from the first alert on record; for another start, use the command
 * line.
 */
export async function notify(asking: SlashRequest, rest: readonly string[]): Promise<SlashReply> {
  const { session, options } = asking;
  const regime = oneOf(regimes, rest[1], written.notify);
  const reason = neededReason(rest.slice(2), written.notify);
  const { incident } = await incidentState(session, { id: incidentNamed(asking, rest) });
  const awareAt = await options.orders.openedAt(incident);
  const about = { incident: incident.id, run: incident.run, regime };
  await options.orders.deadline(asking, { kind: 'deadline.start', ...about, awareAt, reason });
  return newsText(
    `On the record: the deadlines are running. They count from the first alert, ${awareAt}; set another time with firebreak deadlines start --aware.`,
    500,
  );
}

/** Records that a person has sent a notification: Firebreak sends none. */
export async function sent(asking: SlashRequest, rest: readonly string[]): Promise<SlashReply> {
  const { session, options, now } = asking;
  const regime: Regime = oneOf(regimes, rest[1], written.sent);
  const stage = oneOf(stages, rest[2], written.sent);
  const reference = reasonToSign(rest.slice(3).join(' ').trim());
  if (reference === '' || reference.length > 200) throw new FirebreakError('FB_ERR_REFUSED', `write ${written.sent}`);
  const { incident } = await incidentState(session, { id: incidentNamed(asking, rest) });
  const sentAt = new Date(now).toISOString();
  await options.orders.deadline(asking, {
    kind: 'deadline.sent',
    ...{ incident: incident.id, run: incident.run, regime, stage, sentAt, reference },
  });
  const lines = await options.deadlines(incident);
  return [`On the record as sent: ${newsText(reference, 300)}.`, ...lines.map((line) => `•  ${newsText(line, 500)}`)].join('\n');
}

function oneOf<Name extends string>(names: readonly Name[], typed: string | undefined, how: string): Name {
  const found = names.find((name) => name === typed?.toLowerCase());
  if (!found) throw new FirebreakError('FB_ERR_REFUSED', `write ${how}`);
  return found;
}
