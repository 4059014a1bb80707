import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { IncidentDraft } from '../../../core/cards/card.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { shortIncidentId } from '../../../core/incident/incident.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import type { IncidentTerms, StartIncident } from '../../../core/orders/incident-order.ts';
import { type Person, personBySlackId } from '../../../core/people/roster.ts';
import type { SlackIncident } from '../../../integrations/slack/door/order-dialogs.ts';
import type { Config } from '../../config/load.ts';
import { orderIncident, startedText } from '../../incidents/incident-order.ts';
import { type Session, sessionOver } from '../../incidents/session.ts';
import { signedWith } from '../../incidents/signing.ts';

export interface IncidentOrdersOptions {
  readonly config: Config;
  readonly signer: Signer;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly refused: (refusal: { readonly reason: string; readonly person: string }) => void;
  readonly now?: () => number;
}

export interface IncidentOrders {
  /** The dialog for who pressed the shortcut, or why there is none. */
  draft(
    slackUser: string,
    message: NonNullable<IncidentDraft['message']>,
  ): { readonly opens: IncidentDraft } | { readonly text: string };
  /** The incident that it has become. @throws FB_ERR_VOTE_REFUSED with the cell’s reason, FB_ERR_UNAVAILABLE. */
  start(asked: {
    readonly session: Session;
    readonly person: Person;
    /** The same however often it is ordered. */
    readonly from: string;
    readonly terms: Pick<IncidentTerms, 'wish' | 'pod' | 'severity' | 'reason' | 'link'>;
  }): Promise<{ readonly incident: string }>;
  take(incident: SlackIncident): Promise<{ readonly text: string; readonly announce?: string }>;
}

const notOnRoster = 'You are not on the roster, so nothing was started. It is on the record.';

/**
 * Incidents that a person starts in Slack: signed by the desk for them, checked in the cell, and taken by its intake as an alert that names them
 * as its requester: who starts an incident lets the others decide on it.
 */
export function createIncidentOrders(options: IncidentOrdersOptions): IncidentOrders {
  const { config, signer, client, refused, now = Date.now } = options;
  const known = (slackUser: string): Person | undefined => {
    const person = personBySlackId(config.roster, slackUser);
    if (!person) refused({ reason: 'not on the roster', person: `slack/${slackUser}` });
    return person;
  };

  const start: IncidentOrders['start'] = async ({ session, person, from, terms }) => {
    const at = new Date(now()).toISOString();
    const id = createHash('sha256').update(`incident ${from}`).digest('hex').slice(0, 16);
    const order: StartIncident = {
      version: 1,
      kind: 'incident.start',
      person: person.id,
      at,
      terms: { version: 1, id, cluster: config.cluster, ...terms },
      via: 'slack',
    };
    const incident = await orderIncident(session, await signedWith(order, signer));
    return { incident: shortIncidentId(incident, config.cluster) };
  };

  return {
    start,

    draft: (slackUser, message) => {
      const person = known(slackUser);
      if (!person) return { text: notOnRoster };
      return { opens: { wish: 'look', cluster: config.cluster, owner: person.name, message } };
    },

    take: async ({ dialogId, slackUser, wish, pod, severity, reason, link }) => {
      const person = known(slackUser);
      if (!person) return { text: notOnRoster };
      const connected = client();
      if (!connected) return { text: 'Temporal does not answer yet: nothing was started. Please try again in a moment.' };
      try {
        const terms = { wish, pod, severity, reason, ...(link === undefined ? {} : { link }) };
        const { incident } = await start({ session: sessionOver(config, connected), person, from: dialogId, terms });
        const text = slackStartedText(incident, terms);
        return { text, announce: `${person.name} started the incident ${incident} from this message.` };
      } catch (error) {
        if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
        throw error;
      }
    },
  };
}

/** What is told to who ordered it. */
export function slackStartedText(incident: string, terms: Pick<IncidentTerms, 'wish' | 'pod'>): string {
  return `${startedText(incident, terms)} /firebreak show ${incident}`;
}
