import type { IncidentRef } from './incident.ts';

/** Whom to tell what became of an answer, and where. */
export interface ReplyTo {
  readonly channel: string;
  readonly user: string;
  /** What the question is about, in a few words: who answers several in a minute is told which of them each answer is of. */
  readonly about?: string;
  /** One answer to several questions: what became of each is told together, by the name of what it is about. */
  readonly together?: { readonly id: string; readonly name: string };
}

/** Where the answer to a click goes. Only the desk that took the click says so: an incident names the click, and no place. */
export interface ClickReply {
  /** Id of the vote or remark that it became. */
  readonly click: string;
  /** The desk's signature of that vote or remark: who cannot show it is not answering it. */
  readonly signature: string;
  /** Id of the incident that was to hear of it. */
  readonly incident: string;
  readonly to: ReplyTo;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What became of a click, for the one who clicked. */
export interface ClickAnswer {
  readonly incident: IncidentRef;
  readonly click: string;
  readonly signature: string;
  readonly text: string;
}

/** The desk's durable memory of where answers go: in the same database as its cards. */
export interface ReplyStore {
  /** Idempotent by click. Those of another day are forgotten. */
  saveReply(reply: ClickReply): Promise<void>;
  /** Undefined for a click that is not known, or was answered as often as anybody needs to hear of one. */
  reply(click: string): Promise<ClickReply | undefined>;
  /** It was answered once more. */
  answered(click: string): Promise<void>;
}

/** Reminders and all: nobody needs to hear of one click more often. */
export const mostAnswers = 6;
