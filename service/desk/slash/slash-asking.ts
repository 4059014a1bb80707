import type { Client } from '@temporalio/client';
import type { OrderDraft } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId, type IncidentRef } from '../../../core/incident/incident.ts';
import type { Config } from '../../config/load.ts';
import type { ClickVotes } from '../click-votes.ts';
import type { OutsideDuty } from '../on-call.ts';
import type { SignIns } from '../pages/sign-ins-desk.ts';
import type { SlackOrders } from './slack-orders.ts';
import type { Looking } from './slash-look.ts';

/** One `/firebreak …` command of a person whom Slack vouches for. */
export interface TypedCommand {
  readonly commandId: string;
  readonly slackUser: string;
  readonly channel: string;
  readonly text: string;
}

export interface SlashOptions {
  readonly config: Config;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly votes: ClickVotes;
  readonly signIns: Pick<SignIns, 'open'>;
  readonly orders: SlackOrders;
  /** An outside on-call, which narrows the roster. */
  readonly duty?: OutsideDuty | undefined;
  readonly deadlines: (incident: IncidentRef) => Promise<readonly string[]>;
  readonly refused: (refusal: { readonly reason: string; readonly command: TypedCommand }) => void;
  readonly now?: () => number;
}

/** A command of a person on the roster, while Temporal answers. */
export interface SlashRequest extends Looking {
  readonly command: TypedCommand;
  readonly options: SlashOptions;
}

/** Escaped mrkdwn, or a dialog. */
export type SlashReply = string | { readonly opens: OrderDraft };

/** Returns the incident that the first word names. @throws FB_ERR_REFUSED. */
export function incidentNamed(asking: SlashRequest, rest: readonly string[]): string {
  const [written] = rest;
  if (written === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'name the incident, such as shop/Deployment/cart');
  return fullIncidentId(written, asking.session.config.cluster);
}
