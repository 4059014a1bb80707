import type { RespondFn } from '@slack/bolt';
import type { Click } from './click.ts';

/** One request of Slack, however it came: HTTP and Socket Mode bring the same. */
export interface Arrived {
  readonly body: unknown;
  /** Slack waits 3 s for it. With `content` a dialog changes; without, it closes. */
  readonly ack: (content?: object) => Promise<void>;
  readonly respond: RespondFn | undefined;
}

/** What a person is told, and nobody else. */
export interface EphemeralAnswer extends LinkAnswer {
  readonly channel: string;
  readonly user: string;
}

/** A plain text, and where to go on, if it goes on elsewhere. */
export interface LinkAnswer {
  readonly text: string;
  readonly link?: string;
  /** What the link is called; absent: the way to the sign-in. */
  readonly goesOn?: string;
}

/** What takes a vote that was clicked, and tells its person what became of it. */
export interface VoteDoor {
  readonly mayAnswer: (click: Click) => Promise<{ readonly refusal?: string }>;
  /** `taken`: it is on its way to the incident. */
  readonly onClick: (click: Click) => Promise<{ readonly text: string; readonly taken?: true }>;
  readonly tell: (told: EphemeralAnswer, respond: RespondFn | undefined) => Promise<void>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
}
