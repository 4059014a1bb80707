import type { IncidentRef } from './incident.ts';

/** Who is told the result of an answer, and where. */
export interface ReplyTo {
  readonly channel: string;
  readonly user: string;
  /** What the question is about, in a few words, so that a person who answers several within a minute can tell the replies apart. */
  readonly about?: string;
  /** One answer to several questions: the results are reported together, each under the name of its subject. */
  readonly together?: { readonly id: string; readonly name: string };
}

/** Where the reply to a click goes. Only the desk that received the click decides this: an incident names the click, but no place. */
export interface ClickReply {
  /** Id of the vote or remark created from the click. */
  readonly click: string;
  /** The desk's signature of that vote or remark: a reply without it is not accepted. */
  readonly signature: string;
  /** Id of the incident that the click was meant for. */
  readonly incident: string;
  readonly to: ReplyTo;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The result of a click, for the person who clicked. */
export interface ClickAnswer {
  readonly incident: IncidentRef;
  readonly click: string;
  readonly signature: string;
  readonly text: string;
}

/** The desk's durable store of where replies go, in the same database as its cards. */
export interface ReplyStore {
  /** Idempotent per click. Entries of another day are deleted. */
  saveReply(reply: ClickReply): Promise<void>;
  /** Undefined for a click that is unknown, or that has been answered the maximum number of times. */
  reply(click: string): Promise<ClickReply | undefined>;
  /** Whether the click was answered at least once. */
  wasAnswered(click: string): Promise<boolean>;
  /** Counts one more answer to the click. */
  answered(click: string): Promise<void>;
}

/** Maximum number of answers to one click, reminders included. */
export const mostAnswers = 6;
