import type { Client } from '@temporalio/client';
import { isMenuEntry } from '../../../core/cards/card.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type IncidentRef, incidentNames } from '../../../core/incident/incident.ts';
import { type Remark, remarkBytes, type SignedRemark } from '../../../core/incident/remark.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import { type Person, personBySlackId } from '../../../core/people/roster.ts';
import type { MenuAnswer } from '../../../integrations/slack/door/door.ts';
import type { Config } from '../../config/load.ts';
import { incidentState, sessionOver } from '../../incidents/session.ts';
import type { ClickReplies, ClickVotes, TrustedClick } from '../click-votes.ts';
import type { SlackOrders } from './slack-orders.ts';
import { leaseButton } from './slash-lease.ts';
import { incidentText } from './slash-look.ts';

interface CardMenuOptions {
  readonly config: Config;
  readonly signer: Signer;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly votes: ClickVotes;
  readonly replies: ClickReplies;
  readonly orders: Pick<SlackOrders, 'suppressionDraft'>;
  readonly deadlines: (incident: IncidentRef) => Promise<readonly string[]>;
  readonly refused: (refusal: { readonly reason: string; readonly click: TrustedClick }) => void;
  readonly now?: () => Date;
}

/** A dialog must be open 3 s after the click. */
const answerWithinMs = 2_000;

/** A dialog can hold 250 kB; an incident keeps fewer entries than this. */
const wholeTimeline = 1_000;

const kinds = { ':snooze': 'snooze', ':next': 'next', ':comment': 'comment' } as const;

/** Handles a card's menu. Everybody on the roster may read; what people submit is signed, sent to the incident and checked in its cell. */
export function createCardMenu(options: CardMenuOptions): (click: TrustedClick) => Promise<MenuAnswer> {
  const { config, client, votes, orders, deadlines, refused } = options;
  return async (click) => {
    const { button } = click;
    const person = personBySlackId(config.roster, click.slackUser);
    if (!person) {
      refused({ reason: 'not on the roster', click });
      return { text: 'You are not on the roster, so this does nothing. It is on the record.' };
    }
    const connected = client();
    const { choice } = button;
    if (!isMenuEntry(choice)) return { text: 'Firebreak does not know this menu entry.' };
    if (!connected) return { text: 'Temporal does not answer yet. Try again in a moment.' };
    const session = sessionOver(config, connected, answerWithinMs);
    const state = () => incidentState(session, button.incident);
    try {
      switch (choice) {
        case ':details':
          return {
            details: incidentText(await state(), config.roster, {
              entries: wholeTimeline,
              deadlines: await deadlines(button.incident),
            }),
          };
        case ':extend':
          return await votes.vote({ ...click, button: leaseButton(await state(), 'extend') });
        case ':suppress':
          return await orders.suppressionDraft({ person, state: await state() });
        case ':comment':
          if (click.reason === undefined) return { asksFor: 'comment' };
          return await say({ connected, options, click, person, kind: 'comment' });
        default:
          return await say({ connected, options, click, person, kind: kinds[choice] });
      }
    } catch (error) {
      if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
      throw error;
    }
  };
}

async function say(order: {
  readonly connected: Client;
  readonly options: CardMenuOptions;
  readonly click: TrustedClick;
  readonly person: Person;
  readonly kind: Remark['kind'];
}): Promise<{ readonly text: string; readonly taken?: true }> {
  const { connected, options, click, person, kind } = order;
  const { signer, now = () => new Date() } = options;
  const { incident, question } = click.button;
  const remark: Remark = {
    version: 1,
    id: click.clickId,
    incident,
    question,
    kind,
    person: person.id,
    at: now().toISOString(),
    ...(click.reason === undefined ? {} : { text: click.reason }),
  };
  const signed: SignedRemark = {
    remark,
    keyId: signer.keyId,
    signature: await signer.sign(remarkBytes(remark)),
  };
  await options.replies.remember(click, signed.signature);
  const handle = connected.workflow.getHandle(incident.id, undefined, { firstExecutionRunId: incident.run });
  try {
    await connected.withDeadline(Date.now() + answerWithinMs, () => handle.signal(incidentNames.remarkSignal, signed));
  } catch {
    return { text: 'This could not be delivered just now. Nothing has changed; try again.' };
  }
  return { text: 'Passed on to the incident, which has not answered yet.', taken: true };
}
