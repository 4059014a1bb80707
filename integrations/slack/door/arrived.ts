import type { RespondFn } from '@slack/bolt';
import type { Click } from './click.ts';
import type { Receipts } from './receipts.ts';

/** One request from Slack. HTTP and Socket Mode deliver the same. */
export interface Arrived {
  readonly body: unknown;
  /** Slack waits 3 s for this. With `content` a dialog changes; without, it closes. */
  readonly ack: (content?: object) => Promise<void>;
  readonly respond: RespondFn | undefined;
}

/** A message shown to one person only. */
export interface EphemeralAnswer extends LinkAnswer {
  readonly channel: string;
  readonly user: string;
}

/** A plain text, and a link if the person has to continue elsewhere. */
export interface LinkAnswer {
  readonly text: string;
  readonly link?: string;
  /** Label of the link; absent: it leads to the sign-in. */
  readonly goesOn?: string;
  /** It is on its way to the incident, which answers by itself: this text is only a receipt. */
  readonly taken?: true;
}

/** Accepts a vote from a click and tells the person what became of it. */
export interface VoteDoor {
  readonly mayAnswer: (click: Click) => Promise<{ readonly refusal?: string }>;
  /** `taken`: the vote is on its way to the incident. */
  readonly onClick: (click: Click) => Promise<{ readonly text: string; readonly taken?: true }>;
  readonly receipts: Receipts;
  readonly tell: (told: EphemeralAnswer, respond: RespondFn | undefined) => Promise<void>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
}
