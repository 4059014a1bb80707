/** A click or command, stored before it is acknowledged to Slack and until its sender has been told the result. */
export interface Unanswered {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly slackUser: string;
  readonly channel: string;
  /** The card that was clicked on. */
  readonly messageTs?: string;
  /** The command without its arguments: `/firebreak`. */
  readonly command?: string;
}

/** Outlives the process that was about to answer. Its entries never trigger an action: they only say whom to notify. */
export interface UnansweredStore {
  saveUnanswered(one: Unanswered): Promise<void>;
  forgetUnanswered(id: string): Promise<void>;
  /** Removes and returns the entries from before then (milliseconds since 1970): each goes to one caller only. */
  takeUnanswered(before: number): Promise<readonly Unanswered[]>;
}
