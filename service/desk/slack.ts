import { provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { ShownCard } from '../../core/cards/card.ts';
import { oneOfEach } from '../../core/cards/card-group.ts';
import type { CardStore } from '../../core/cards/card-store.ts';
import type { CardBeliefs } from '../../core/cards/question-card.ts';
import type { IncidentRef } from '../../core/incident/incident.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { answerersOf, type Roster } from '../../core/people/roster.ts';
import { createCardStore } from '../../integrations/database/card-store.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { openSigner } from '../../integrations/keys/ed25519.ts';
import type { Crowding } from '../../integrations/slack/cards/overflow-thread.ts';
import { createSlackDesk, type SlackDesk } from '../../integrations/slack/desk.ts';
import { incidentState, sessionOver } from '../incidents/session.ts';
import type { RefusalCounts } from '../process/refusal-counts.ts';
import { createClickReplies, createClickVotes } from './click-votes.ts';
import type { Journal } from './journal.ts';
import type { OutsideDuty } from './on-call.ts';
import type { SignInPages } from './pages/sign-in-pages.ts';
import { createSignIns, type SignIns } from './pages/sign-ins-desk.ts';
import type { DeskParts } from './parts.ts';
import { createCardMenu } from './slash/card-menu.ts';
import { createSlackOrders } from './slash/slack-orders.ts';
import { createSlash } from './slash/slash.ts';
import { createLeaseAnswers } from './slash/slash-lease.ts';

/** The desk's parts for Slack: the cards and, if the widest steps need a sign-in, its pages. */
interface DeskSlack {
  readonly desk: SlackDesk;
  readonly signIn?: SignInPages;
  /** Returns where a question can be answered while Slack is down. */
  readonly answerLink?: SignIns['answerLink'];
  /** The questions that it has shown, for another surface on which they are answered. */
  readonly shown: { readonly cards: CardStore; readonly signIns: SignIns };
}

/** Undefined if no Slack is configured. */
export async function createSlack(options: {
  readonly parts: DeskParts;
  readonly database: Database;
  readonly store: AuditStore;
  readonly journal: Journal;
  readonly trust: Trust;
  readonly refusals: RefusalCounts;
  readonly duty: OutsideDuty | undefined;
  readonly beliefs: CardBeliefs;
  /** The state of an incident's notifications, one line each. */
  readonly deadlines: (incident: IncidentRef) => Promise<readonly string[]>;
}): Promise<DeskSlack | undefined> {
  const { parts, database, store, journal, trust, refusals, duty, beliefs, deadlines } = options;
  const { config, secrets, client, log } = parts;
  if (!config.slack || !secrets.slack) return undefined;
  const signer = await openSigner({ file: config.desk.voteKeyFile });
  const cards = createCardStore(database);
  const replies = createClickReplies({ store: cards, log });
  const votes = createClickVotes({
    roster: config.roster,
    duty,
    signer,
    client,
    replies,
    tracing: parts.tracing,
    refused: ({ reason, click, person }) =>
      void journal.record({
        kind: 'click.refused',
        actor: person ? `person/${person}` : `slack/${click.slackUser}`,
        body: { reason, incident: click.button.incident.id, question: click.button.question, choice: click.button.choice },
      }),
  });
  const signIns = createSignIns({
    config,
    secrets,
    database,
    votes,
    ends: (asked) => orders.endSignedIn(asked),
    cards,
    beliefs,
    client,
    journal,
    log,
  });
  const orders = createSlackOrders({
    config,
    signer,
    // Only proven records: somebody who can write to the database must not choose what is proposed for suppression.
    records: async (chain) => provenOf((await store.storedChain(chain)).records, trust).records,
    client,
    signIns,
    refused: ({ person, ...body }) =>
      void journal.record({
        kind: body.choice === 'suppress' ? 'click.refused' : 'command.refused',
        actor: person,
        body,
      }),
  });
  const desk = createSlackDesk({
    appId: config.slack.appId,
    teamId: config.slack.teamId,
    channel: config.slack.channel,
    ...(config.slack.apiUrl === undefined ? {} : { apiUrl: config.slack.apiUrl }),
    ...secrets.slack,
    cards,
    crowding: createCardLimit({ roster: config.roster, cards }),
    mayAnswer: votes.mayAnswer,
    onClick: votes.vote,
    onSignIn: (click, about) => signIns.open(click, about),
    onMenu: createCardMenu({
      config,
      signer,
      client,
      votes,
      replies,
      orders,
      deadlines,
      refused: ({ reason, click }) =>
        void journal.record({
          kind: 'click.refused',
          actor: `slack/${click.slackUser}`,
          body: { reason, incident: click.button.incident.id, question: click.button.question, choice: click.button.choice },
        }),
    }),
    onCommand: createSlash({
      config,
      client,
      votes,
      signIns,
      duty,
      orders,
      deadlines,
      refused: ({ reason, command }) =>
        void journal.record({ kind: 'command.refused', actor: `slack/${command.slackUser}`, body: { reason } }),
    }),
    onOrder: orders.take,
    onLease: createLeaseAnswers({
      votes,
      signIns,
      stateOf: async (incident) => {
        const connected = client();
        return connected && incidentState(sessionOver(config, connected), incident);
      },
    }),
    onShortcut: async ({ slackUser, message }) => {
      const answer = orders.incidentDraft(slackUser, message);
      return 'text' in answer ? { mrkdwn: answer.text } : answer;
    },
    onUnproven: ({ reason }) => refusals.count('slack', reason),
    onRefused: ({ reason, slackUser, buttonId, detail }) =>
      journal.record({
        kind: 'click.refused',
        actor: `slack/${slackUser ?? 'unknown'}`,
        body: { reason, button: buttonId ?? null, detail },
      }),
    log: (message, facts) => log.warn(facts, message),
  });
  return {
    desk,
    shown: { cards, signIns },
    ...(signIns.pages && { signIn: signIns.pages }),
    ...(signIns.answerLink && { answerLink: signIns.answerLink }),
  };
}

/** Maximum number of open questions shown to one person in the channel: people with more say yes without reading. */
export const mostOpen = 5;

/** A card that is overdue by this much belongs to an incident that nobody will end. */
const forgottenAfterMs = 3_600_000;

/** Finds the people asked who have enough open questions in the channel. Whoever is paged finds the question there, however many there are. */
export function createCardLimit(options: {
  readonly roster: Roster;
  readonly cards: Pick<CardStore, 'openCards'>;
  readonly now?: () => number;
}): Crowding {
  const { roster, cards, now = Date.now } = options;
  return async ({ questionId, level }) => {
    if (level.pages) return [];
    const at = now();
    const askedIn = (group: string): readonly string[] => answerersOf(roster, group, at).map(({ person }) => person);
    const open = oneOfEach(await cards.openCards()).filter(
      ({ overflow, card }) =>
        overflow === undefined && card.questionId !== questionId && Date.parse(card.level.until) > at - forgottenAfterMs,
    );
    const seenBy = new Map<string, ShownCard[]>();
    for (const shown of open)
      for (const person of askedIn(shown.card.level.group)) seenBy.set(person, [...(seenBy.get(person) ?? []), shown]);
    return askedIn(level.group).flatMap((person) => {
      const seen = seenBy.get(person) ?? [];
      return seen.length >= mostOpen ? [seen] : [];
    });
  };
}
