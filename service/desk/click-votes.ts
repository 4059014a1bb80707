import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { StoredButton } from '../../core/cards/card.ts';
import { type SignedVote, type Vote, voteBytes } from '../../core/decide/approval.ts';
import type { FormAnswers } from '../../core/decide/form.ts';
import type { ReplyStore, ReplyTo } from '../../core/incident/click-reply.ts';
import { incidentNames, subjectOfIncident } from '../../core/incident/incident.ts';
import type { Signer } from '../../core/messages/signing.ts';
import { answersFor, type Person, personById, personBySlackId, type Roster } from '../../core/people/roster.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import type { Tracing } from '../process/telemetry/tracing.ts';

import { narrowedBy, type OutsideDuty } from './on-call.ts';

/** A click that Slack vouches for, as far as Slack can be asked. */
export interface TrustedClick {
  readonly clickId: string;
  readonly slackUser: string;
  /** On the desk's page: the roster id of the person who claims to answer. The sign-in proves it. */
  readonly onPage?: string;
  /** Path of that page, if the browser has to return to it. */
  readonly back?: string;
  readonly button: StoredButton;
  readonly channel: string;
  /** From the dialog that asks for a reason. */
  readonly reason?: string;
  /** What was filled in there, if the choice has a form. */
  readonly answers?: FormAnswers;
  /** What the question is about, in a few words. */
  readonly about?: string;
  /** Set if it is part of one answer to several questions. */
  readonly together?: NonNullable<ReplyTo['together']>;
  /** The identity provider's token, if the answer needs one. */
  readonly idToken?: string;
  /** Set if this is not a vote: it ends this restraint, and waits for a sign-in. */
  readonly ends?: string;
}

interface ClickVotesOptions {
  readonly roster: Roster;
  /** An outside on-call, which narrows the roster. */
  readonly duty?: OutsideDuty | undefined;
  readonly signer: Signer;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly replies: ClickReplies;
  readonly refused: (refusal: { readonly reason: string; readonly click: TrustedClick; readonly person?: string }) => void;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly now?: () => Date;
}

/** The person who clicked waits up to 3 s. The connection keeps trying for some seconds after its deadline. */
const sendWithinMs = 2_000;
const wakeWithinMs = 10_000;

export interface ClickVotes {
  /** Returns whether the vote would be accepted. Called before a dialog opens; also wakes its incident. A refusal is put on record. */
  mayAnswer(click: TrustedClick): Promise<{ readonly refusal?: string }>;
  /** `taken`: Temporal has accepted it. */
  vote(click: TrustedClick): Promise<{ readonly text: string; readonly taken?: true }>;
}

/**
 * Turns a click into a vote: the roster determines who clicked and whether that person may answer, the desk signs, and a signal carries the vote. The cell
 * checks all of it again.
 */
export function createClickVotes(options: ClickVotesOptions): ClickVotes {
  const { signer, client, replies, tracing, now = () => new Date() } = options;
  return {
    mayAnswer: async (click) => {
      const voter = voterOf(click, options, now());
      if ('refusal' in voter) return { refusal: voter.refusal };
      void wake(client(), click.button);
      return {};
    },
    vote: async (click) => {
      const { button, reason, answers, idToken } = click;
      const via = viaOf(click);
      const at = now();
      const voter = voterOf(click, options, at);
      if ('refusal' in voter) return { text: voter.refusal };
      const vote: Vote = {
        version: 1,
        id: click.clickId,
        incident: button.incident,
        question: button.question,
        questionDigest: button.questionDigest,
        choice: button.choice,
        person: voter.id,
        via,
        at: at.toISOString(),
        ...(reason === undefined ? {} : { reason }),
        ...(answers && { answers }),
      };
      const signed: SignedVote = {
        vote,
        keyId: signer.keyId,
        signature: await signer.sign(voteBytes(vote)),
        ...(idToken === undefined ? {} : { idToken }),
      };
      if (via === 'slack') await replies.remember(click, signed.signature);
      const sent = () => send(client(), button, signed);
      return tracing ? tracing.within(button.incident, { name: 'vote', kind: 'server' }, sent) : sent();
    },
  };
}

function viaOf({ onPage }: TrustedClick): 'slack' | 'page' {
  return onPage === undefined ? 'slack' : 'page';
}

/** The person who clicked, according to the roster; on a page, the person they claim to be. */
export function whoClicked(roster: Roster, { slackUser, onPage }: TrustedClick): Person | undefined {
  return onPage === undefined ? personBySlackId(roster, slackUser) : personById(roster, onPage);
}

/** The same person, if they may answer now. */
function voterOf(
  click: TrustedClick,
  { roster, duty, refused }: ClickVotesOptions,
  at: Date,
): Person | { readonly refusal: string } {
  const { button } = click;
  const via = viaOf(click);
  const person = whoClicked(roster, click);
  if (!person) {
    refused({ reason: 'not on the roster', click });
    return { refusal: 'You are not on the roster, so your click decides nothing. It is on the record.' };
  }
  if (button.requester === `person/${person.id}`) {
    refused({ reason: 'who asks may not answer', click, person: person.id });
    return { refusal: 'You asked this yourself: somebody else must answer.' };
  }
  const narrowed = narrowedBy(duty, at.getTime(), via);
  if (answersFor({ roster, person: person.id, groups: button.groups, at: at.getTime(), narrowed }) === undefined) {
    refused({ reason: `not on call in ${button.groups.join(', ')}`, click, person: person.id });
    const outside = via === 'slack' ? duty?.whyNot?.(button.groups, at.getTime()) : undefined;
    return {
      refusal:
        outside ?? `Only ${button.groups.join(' or ')} may answer this, while they are on call. Your click is on the record.`,
    };
  }
  return person;
}

/**
 * The cell keeps some incidents in memory; for any other, the next message makes it replay the history, which takes longer than everything else between a vote
 * and its step. So this starts the replay while the person reads the dialog. Nothing depends on the result, or on whether there is one.
 */
async function wake(client: Client | undefined, { incident: { id, run } }: StoredButton): Promise<void> {
  const asked = async () =>
    client?.withDeadline(Date.now() + wakeWithinMs, () =>
      client.workflow.getHandle(id, undefined, { firstExecutionRunId: run }).query(incidentNames.stateQuery),
    );
  await asked().catch(() => undefined);
}

const undelivered = 'Your answer could not be delivered just now. Nothing was decided; click again.';

const isOver = 'This incident is over: there is nothing left to decide.';
/** For decisions above all incidents: if a run ends, the cell asks the open questions again, on the same card. */
const isAskedAgain =
  'Nothing was decided: the workflow that counts the answers has ended and is being restarted. Click again in a minute. If your answer still does not count, propose it again.';

/** It may still arrive: if the person clicks again, they count once, and the later answer counts. */
const unconfirmed =
  'Your answer could not be delivered yet, and may still arrive. If the card does not show it in a minute, click again: your answer counts only once.';

async function send(
  client: Client | undefined,
  button: StoredButton,
  signed: SignedVote,
): Promise<{ readonly text: string; readonly taken?: true }> {
  if (!client) return { text: undelivered };
  const sent = client.withDeadline(Date.now() + sendWithinMs, () =>
    client.workflow
      .getHandle(button.incident.id, undefined, { firstExecutionRunId: button.incident.run })
      .signal(incidentNames.voteSignal, signed),
  );
  const late = new AbortController();
  try {
    const outcome = await Promise.race([
      sent.then(() => 'taken' as const),
      sleep(sendWithinMs, 'late' as const, { signal: late.signal }),
    ]);
    if (outcome === 'late') return { text: unconfirmed };
    return { text: `Received: “${button.label}”. It is not counted yet: the incident has not answered.`, taken: true };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { text: subjectOfIncident(button.incident.id) ? isOver : isAskedAgain };
    return { text: undelivered };
  } finally {
    late.abort();
    sent.catch(() => undefined);
  }
}

/** Remembers where to send the answer to a click, before the incident receives the click. */
export interface ClickReplies {
  /** Never throws, and takes only a moment: a decision does not wait for its reply. */
  remember(click: TrustedClick, signature: string): Promise<void>;
}

/** A slower database must not delay a vote. */
export const saveWithinMs = 300;

export function createClickReplies(parts: {
  readonly store: Pick<ReplyStore, 'saveReply'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}): ClickReplies {
  const { store, log, now = Date.now } = parts;
  return {
    remember: async ({ clickId, button, channel, slackUser: user, about, together }, signature) => {
      const to = { channel, user, ...(about !== undefined && { about }), ...(together && { together }) };
      const saved = store
        .saveReply({ click: clickId, signature, incident: button.incident.id, to, at: now() })
        .catch((error: unknown) => log.warn({ reason: reasonOf(error) }, 'cannot store where the answer to a click goes'));
      const late = new AbortController();
      await Promise.race([saved, sleep(saveWithinMs, undefined, { ref: false, signal: late.signal }).catch(() => undefined)]);
      late.abort();
    },
  };
}
