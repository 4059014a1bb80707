/** What somebody clicked or typed, from before Slack hears that it has arrived until they are told what became of it. */
export interface Unanswered {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly slackUser: string;
  readonly channel: string;
  /** The card that was clicked on. */
  readonly messageTs?: string;
  /** What was typed, without its arguments: `/firebreak`. */
  readonly command?: string;
}

/** Outlives the process that was about to answer. Nothing is ever done by what is in it: it only says whom to tell. */
export interface UnansweredStore {
  saveUnanswered(one: Unanswered): Promise<void>;
  forgetUnanswered(id: string): Promise<void>;
  /** Takes out those that came before then (milliseconds since 1970): each is given to one caller. */
  takeUnanswered(before: number): Promise<readonly Unanswered[]>;
}
