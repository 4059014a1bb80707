import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { hidableIn } from '../../../core/alert/hidable.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { SuppressionDraft } from '../../../core/cards/card.ts';
import type { SuppressionState } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import {
  type EndSuppression,
  type ProposeSuppression,
  type SuppressionTerms,
  suppressionTitle,
} from '../../../core/orders/suppression.ts';
import { type Person, personBySlackId } from '../../../core/people/roster.ts';
import type { SlackProposal } from '../../../integrations/slack/door/order-dialogs.ts';
import { code, inline, linesUpTo } from '../../../integrations/slack/views/text.ts';
import type { Config } from '../../config/load.ts';
import { controlState, incidentState, type Session, sessionOver } from '../../incidents/session.ts';
import { signedWith } from '../../incidents/signing.ts';
import { endSuppression, proposeSuppression } from '../../incidents/suppress-order.ts';

export interface SuppressionProposalsOptions {
  readonly config: Config;
  readonly signer: Signer;
  /** The records say which alerts of an incident could be hidden. */
  readonly records: Pick<AuditStore, 'records'>;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly refused: (refusal: { readonly reason: string; readonly person: string; readonly incident: string }) => void;
  readonly now?: () => number;
}

export interface SuppressionProposals {
  /** What this person may propose about the incident, or why nothing. */
  draft(asked: {
    readonly person: Person;
    readonly state: IncidentState;
  }): Promise<{ readonly opens: SuppressionDraft } | { readonly text: string }>;
  propose(proposal: SlackProposal): Promise<{ readonly text: string }>;
  /** Mrkdwn. @throws FB_ERR_VOTE_REFUSED with the cell’s reason, FB_ERR_UNAVAILABLE. */
  end(asked: {
    readonly session: Session;
    readonly person: Person;
    readonly id: string;
    readonly reason: string;
  }): Promise<string>;
}

const hasOrdered = 'You have ordered this incident: somebody else may suppress it. It is on the record.';
const namedAsActor = 'An alert of this incident names you as the actor: you may not suppress it. It is on the record.';

/**
 * Suppressions that are proposed in Slack: the desk signs for the person whom Slack vouches for, the control workflow takes the order as it takes
 * one from the command line, and the cell checks it by the same rules.
 */
export function createSuppressionProposals(options: SuppressionProposalsOptions): SuppressionProposals {
  const { config, signer, records, client, refused, now = Date.now } = options;
  /** Why this person may not hide what this incident is about. */
  const refusalOf = (person: Person, { actors = [], requesters = [], incident }: IncidentState): string | undefined => {
    const [reason, text] = actors.includes(person.id)
      ? ['named as the actor', namedAsActor]
      : requesters.includes(person.id)
        ? ['has ordered it', hasOrdered]
        : [];
    if (reason !== undefined) refused({ reason, person: `person/${person.id}`, incident: incident.id });
    return text;
  };
  return {
    draft: async ({ person, state }) => {
      const refusal = refusalOf(person, state);
      if (refusal !== undefined) return { text: refusal };
      const { incident, title, subject } = state;
      const hidable = hidableIn(await records.records(`${incident.id}@${incident.run}`));
      if (hidable.kinds.length === 0) return { text: nothingToHide(hidable.not) };
      return { opens: { ...hidable, incident: { ...incident, title, cluster: subject.cluster }, owner: person.name } };
    },

    propose: async (proposal) => {
      const { slackUser, draft } = proposal;
      const person = personBySlackId(config.roster, slackUser);
      if (!person) {
        refused({ reason: 'not on the roster', person: `slack/${slackUser}`, incident: draft.incident.id });
        return { text: 'You are not on the roster, so nothing was proposed. It is on the record.' };
      }
      const connected = client();
      if (!connected) return { text: 'Temporal does not answer yet: nothing was proposed. Please try again in a moment.' };
      const session = sessionOver(config, connected);
      try {
        // Who may not is asked again: an alert may have named them since the dialog was opened.
        const state = await incidentState(session, draft.incident);
        const refusal = refusalOf(person, state);
        if (refusal !== undefined) return { text: refusal };
        const order = orderOf({ proposal, person, actors: excludedFrom(state), now: now() });
        const { terms } = (await proposeSuppression(session, await signedWith(order, signer))).proposal.order;
        const who = terms.upTo === 'critical' ? 'Two other people' : 'Somebody else';
        return {
          text: `Proposed as ${terms.id}: hide ${suppressionTitle(terms)}, until ${terms.until}. ${who} must agree: the card is in the channel.`,
        };
      } catch (error) {
        if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
        throw error;
      }
    },

    end: async ({ session, person, id, reason }) => {
      const order: EndSuppression = {
        version: 1,
        kind: 'suppression.end',
        person: person.id,
        at: new Date(now()).toISOString(),
        cluster: config.cluster,
        suppression: id,
        reason,
        via: 'slack',
      };
      const { proposal } = await endSuppression(session, await signedWith(order, signer));
      return inline(`Ended: ${suppressionTitle(proposal.order.terms)} are no longer hidden. Cells know it within 5 s.`, 500);
    },
  };
}

/** What is hidden and what is proposed, with what it takes to end it. Mrkdwn. */
export async function suppressionsText(session: Session): Promise<string> {
  const { suppressions } = await controlState(session);
  const live = suppressions.filter(({ status: { state } }) => state === 'proposed' || state === 'active');
  if (live.length === 0) return 'Nothing is hidden, and nothing is proposed.';
  return linesUpTo(['*What can be ended*  with `/firebreak suppress end ID REASON`', ...live.map(lineOf)], 8_000);
}

function lineOf({ proposal: { order }, status }: SuppressionState): string {
  const { id, until, owner, reason } = order.terms;
  const end = until.replace('T', ' ').slice(0, 16);
  return `•  ${code(id, 20)}  *${status.state}*  ${inline(suppressionTitle(order.terms), 300)}, until ${end} UTC; ${inline(owner, 100)} answers for it: ${inline(reason, 200)}`;
}

/** Whom the alerts name, and who ordered any of them: they neither propose nor approve it. */
function excludedFrom({ actors = [], requesters = [] }: IncidentState): readonly string[] | undefined {
  const all = [...new Set([...actors, ...requesters])];
  return all.length === 0 ? undefined : all;
}

function nothingToHide(not: SuppressionDraft['not']): string {
  if (not.length === 0) return 'The alerts of this incident are not on record yet. Please try again in a moment.';
  return ['No alert of this incident can be suppressed:', ...not.map(({ rule, why }) => `• ${rule}: ${why}`)].join('\n');
}

function orderOf({
  proposal,
  person,
  actors,
  now,
}: {
  readonly proposal: SlackProposal;
  readonly person: Person;
  readonly actors: readonly string[] | undefined;
  readonly now: number;
}): ProposeSuppression {
  const { dialogId, draft, kind, upTo, until, reason } = proposal;
  const at = new Date(now).toISOString();
  const terms: SuppressionTerms = {
    version: 1,
    // One dialog, one suppression: however often it is sent off.
    id: createHash('sha256').update(`suppression ${dialogId}`).digest('hex').slice(0, 16),
    cluster: draft.incident.cluster,
    match: kind.match,
    upTo,
    owner: person.id,
    reason,
    from: at,
    until: new Date(until).toISOString(),
  };
  return {
    version: 1,
    kind: 'suppression.propose',
    person: person.id,
    at,
    terms,
    via: 'slack',
    ...(actors === undefined ? {} : { actors }),
  };
}
