import { createHash } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { RestraintDraft, StoredButton } from '../../../core/cards/card.ts';
import type { RestraintState } from '../../../core/decide/control.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import {
  type EndRestraint,
  endChoice,
  endDigest,
  type ProposeRestraint,
  type RestraintMode,
  type RestraintTerms,
  restraintPlan,
  restraintTitle,
  severityOf,
} from '../../../core/orders/restraint.ts';
import { controlIdOf } from '../../../core/orders/suppression.ts';
import { type Person, personBySlackId } from '../../../core/people/roster.ts';
import type { SlackRestraint } from '../../../integrations/slack/door/order-dialogs.ts';
import { linkText } from '../../../integrations/slack/views/link.ts';
import { code, inline, linesUpTo } from '../../../integrations/slack/views/text.ts';
import { playbooks } from '../../../playbooks/index.ts';
import type { Config } from '../../config/load.ts';
import { endNeedsSignIn, endRestraint, noteOn, proposeRestraint, restraintOf } from '../../incidents/restrain-order.ts';
import { controlState, type Session, sessionOver } from '../../incidents/session.ts';
import { signedWith } from '../../incidents/signing.ts';
import type { TrustedClick } from '../click-votes.ts';
import type { SignInFlowOptions } from '../pages/sign-in-flow.ts';
import type { AnsweredChoice, SignIns } from '../pages/sign-ins-desk.ts';

export interface RestraintOrdersOptions {
  readonly config: Config;
  readonly signer: Signer;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly signIns: Pick<SignIns, 'open'>;
  readonly refused: (refusal: { readonly reason: string; readonly person: string; readonly choice: string }) => void;
  readonly now?: () => number;
}

export interface RestraintOrders {
  /** `incident`: as it was typed. */
  draft(person: Person, mode: RestraintMode, incident?: string): RestraintDraft;
  propose(restraint: SlackRestraint): Promise<{ readonly text: string }>;
  /** Mrkdwn. Where it needs a sign-in: the link to it. @throws FB_ERR_REFUSED, FB_ERR_VOTE_REFUSED, FB_ERR_UNAVAILABLE. */
  end(asked: {
    readonly session: Session;
    readonly person: Person;
    readonly id: string;
    readonly reason: string;
    readonly command: Pick<TrustedClick, 'slackUser' | 'channel'> & { readonly commandId: string };
  }): Promise<string>;
  /** After the sign-in. */
  endSignedIn: NonNullable<SignInFlowOptions['ends']>;
}

/**
 * Freezes, observe modes and broken glasses that are proposed and ended in Slack: signed by the desk for who did it, and checked in the cell as
 * from the command line.
 */
export function createRestraintOrders(options: RestraintOrdersOptions): RestraintOrders {
  const { config, signer, client, signIns, refused, now = Date.now } = options;

  const giveEnd = async (asked: {
    readonly session: Session;
    readonly person: Person;
    readonly id: string;
    readonly reason: string;
    readonly idToken?: string;
  }): Promise<string> => {
    const { session, person, id, reason, idToken } = asked;
    const order: EndRestraint = {
      version: 1,
      kind: 'restraint.end',
      person: person.id,
      at: new Date(now()).toISOString(),
      cluster: config.cluster,
      restraint: id,
      reason,
      via: 'slack',
    };
    const signed = await signedWith(order, signer);
    const { proposal } = await endRestraint(session, { ...signed, ...(idToken !== undefined && { idToken }) });
    return `Ended: ${restraintTitle(proposal.order.terms)}. Cells know it within 5 s.`;
  };

  return {
    draft: ({ name }, mode, incident) => ({
      mode,
      cluster: config.cluster,
      owner: name,
      playbooks: playbooks.map(({ id, title }) => ({ id, title })),
      ...(incident === undefined ? {} : { incident }),
    }),

    propose: async (restraint) => {
      const { slackUser, draft } = restraint;
      const person = personBySlackId(config.roster, slackUser);
      if (!person) {
        refused({ reason: 'not on the roster', person: `slack/${slackUser}`, choice: draft.mode });
        return { text: 'You are not on the roster, so nothing was proposed. It is on the record.' };
      }
      const connected = client();
      if (!connected) return { text: 'Temporal does not answer yet: nothing was proposed. Please try again in a moment.' };
      const terms = termsOf(restraint, person, now());
      const order: ProposeRestraint = {
        version: 1,
        kind: 'restraint.propose',
        person: person.id,
        at: terms.from,
        terms,
        via: 'slack',
      };
      const session = sessionOver(config, connected);
      try {
        await proposeRestraint(session, await signedWith(order, signer));
      } catch (error) {
        if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
        throw error;
      }
      const who = severityOf(terms) === 'critical' ? 'Two other people' : 'Somebody else';
      const text = `Proposed as ${terms.id}: ${restraintTitle(terms)}, until ${terms.until}. Nothing has changed yet. ${who} must agree: the card is in the channel.`;
      const note = await noteOn(session, terms.scope);
      return { text: note === undefined ? text : `${text} ${note}` };
    },

    end: async ({ session, person, id, reason, command }) => {
      const restraint = restraintOf(await controlState(session), id);
      if (!restraint || !endNeedsSignIn(config, restraint)) return inline(await giveEnd({ session, person, id, reason }), 500);
      const { click, answered } = endToSign({ restraint, reason, command, config });
      return linkText({ ...(await signIns.open(click, answered)), goesOn: 'Sign in and end it' });
    },

    endSignedIn: async ({ restraint: id, person, reason, idToken }) => {
      const connected = client();
      if (!connected) return { text: 'Temporal does not answer just now. Nothing has ended; please open the link again.' };
      try {
        const text = await giveEnd({ session: sessionOver(config, connected), person, id, reason, idToken });
        return { text, taken: true };
      } catch (error) {
        if (error instanceof FirebreakError) return { text: `${error.detail} (${error.code})` };
        throw error;
      }
    },
  };
}

/** The order as the pages of the sign-in know an answer: what is signed there names exactly this end. */
function endToSign(asked: {
  readonly restraint: RestraintState;
  readonly reason: string;
  readonly command: Parameters<RestraintOrders['end']>[0]['command'];
  readonly config: Config;
}): { readonly click: TrustedClick; readonly answered: AnsweredChoice } {
  const { restraint, reason, command, config } = asked;
  const { terms } = restraint.proposal.order;
  const { cluster } = config;
  const title = restraintTitle(terms);
  const button: StoredButton = {
    buttonId: '',
    incident: { id: controlIdOf(cluster), run: '' },
    question: restraint.question,
    questionDigest: endDigest({ cluster, restraint: terms.id, reason }),
    choice: endChoice,
    label: 'End it',
    groups: [],
    requester: '',
  };
  const { commandId: clickId, slackUser, channel } = command;
  return {
    click: { clickId, slackUser, channel, button, reason, ends: terms.id },
    answered: {
      card: { text: `End the ${title}?`, incident: { title: `decisions of ${cluster}` } },
      choice: {
        label: 'End it',
        changes: [`the ${title} (${terms.id}) no longer holds; else until ${terms.until}`],
        blastRadius: restraintPlan(terms).blastRadius,
        notes: [],
      },
    },
  };
}

function termsOf({ dialogId, draft, scope, until, reason }: SlackRestraint, person: Person, now: number): RestraintTerms {
  return {
    version: 1,
    // One dialog, one proposal: however often it is sent off.
    id: createHash('sha256').update(`restraint ${dialogId}`).digest('hex').slice(0, 16),
    cluster: draft.cluster,
    mode: draft.mode,
    scope,
    owner: person.id,
    reason,
    from: new Date(now).toISOString(),
    until: new Date(until).toISOString(),
  };
}

/** `unfreeze` without an id: what there is to end. Mrkdwn. */
export async function restraintsText(session: Session): Promise<string> {
  const { restraints = [] } = await controlState(session);
  const live = restraints.filter(({ status: { state } }) => state === 'proposed' || state === 'active');
  if (live.length === 0) return 'Nothing is frozen, and nothing is proposed.';
  return linesUpTo(['*What can be ended*  with `/firebreak unfreeze ID REASON`', ...live.map(lineOf)], 8_000);
}

function lineOf({ proposal: { order }, status }: RestraintState): string {
  const { id, until, reason } = order.terms;
  const end = until.replace('T', ' ').slice(0, 16);
  return `•  ${code(id, 20)}  *${status.state}*  ${inline(restraintTitle(order.terms), 200)}, until ${end} UTC: ${inline(reason, 200)}`;
}
