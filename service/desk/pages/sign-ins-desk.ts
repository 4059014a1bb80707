import type { Client } from '@temporalio/client';
import type { QuestionCard } from '../../../core/cards/card.ts';
import type { CardBeliefs } from '../../../core/cards/question-card.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createSignInStore } from '../../../integrations/database/sign-in-store.ts';
import { createSignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import { incidentState, sessionOver } from '../../incidents/session.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { stepUpPolicyOf } from '../../process/sign-ins.ts';
import type { ClickVotes, TrustedClick } from '../click-votes.ts';
import type { Journal } from '../journal.ts';
import { type AnswerLink, type AnswerPagesOptions, answerPrefix, createAnswerLinks, createAnswerPages } from './answer-pages.ts';
import { type AskedQuestions, createAskedQuestions } from './asked-question.ts';
import { createSignInFlow, type SignInFlowOptions } from './sign-in-flow.ts';
import { createSignInPages, type SignInPages } from './sign-in-pages.ts';

/** The answer and its question, as the card shows them. */
export interface AnsweredChoice {
  readonly card: Pick<QuestionCard, 'text'> & { readonly incident: { readonly title: string } };
  readonly choice: Pick<QuestionCard['choices'][number], 'label' | 'changes' | 'blastRadius' | 'notes'>;
}

export interface SignIns {
  open(click: TrustedClick, answered: AnsweredChoice): Promise<{ readonly text: string; readonly link?: string }>;
  /** Absent: no identity provider is configured. */
  readonly pages?: SignInPages;
  /** Returns where a question can be answered without Slack; undefined if it has no card. */
  readonly answerLink?: AnswerLink;
  /** The open questions, for another page on which they are answered. */
  readonly asked?: AskedQuestions;
}

/** Somebody is waiting for the page. */
const stateWithinMs = 3_000;

/** The desk's side of the sign-in: the link, the pages and the way to the provider. */
export function createSignIns(parts: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly database: Database;
  readonly votes: ClickVotes;
  readonly ends: SignInFlowOptions['ends'];
  readonly cards: AnswerPagesOptions['cards'];
  readonly beliefs: CardBeliefs;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly journal: Journal;
  readonly log: Logger;
}): SignIns {
  const { config, secrets, database, votes, ends, cards, beliefs, client, journal, log } = parts;
  const { stepUp, roster } = config;
  if (!stepUp)
    return {
      open: async () => ({
        text: 'This answer needs a sign-in, but no identity provider is configured for this desk. Nothing was decided.',
      }),
    };
  const { issuer, clientId, publicUrl } = stepUp;
  const flow = createSignInFlow({
    roster,
    store: createSignInStore(database),
    client: createSignInClient({
      issuer,
      clientId,
      ...(secrets.stepUpClient !== undefined && { clientSecret: secrets.stepUpClient }),
      redirectUri: `${publicUrl}/sign-in/callback`,
      maxAgeMs: stepUpPolicyOf(stepUp).maxAgeMs,
    }),
    votes,
    ends,
    publicUrl,
    refused: ({ reason, pending, subject }) =>
      void journal.record({
        kind: 'click.refused',
        actor: `person/${pending.person}`,
        body: {
          reason,
          subject: subject ?? null,
          incident: pending.click.button.incident.id,
          question: pending.click.button.question,
          choice: pending.click.button.choice,
        },
      }),
  });
  const warn = (message: string, error: unknown): void => log.warn({ reason: reasonOf(error) }, message);
  const pages = createSignInPages({ flow, publicUrl, log: warn });
  const state = async (incident: IncidentRef) => {
    const connected = client();
    if (!connected) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Temporal has not answered yet');
    return incidentState(sessionOver(config, connected, stateWithinMs), incident);
  };
  const asked = createAskedQuestions({ cards, beliefs, state });
  const answers = createAnswerPages({ cards, flow, roster, asked, publicUrl, log: warn });
  return {
    open: (click, { card, choice }) => {
      const { label, changes, blastRadius, notes } = choice;
      return flow.open(click, { text: card.text, incident: card.incident.title, choice: { label, changes, blastRadius, notes } });
    },
    pages: {
      handle: (request, response) => (request.url?.startsWith(answerPrefix) ? answers : pages).handle(request, response),
    },
    answerLink: createAnswerLinks({ cards, publicUrl }),
    asked,
  };
}
