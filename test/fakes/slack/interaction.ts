import type { DialogOutcome } from './dialogs.ts';

export interface ClickOptions {
  /** The id of the user who clicks. */
  readonly user: string;
  readonly channel?: string;
  /** The message to click on; if not set, the newest one that has the button. */
  readonly ts?: string;
  /** One of these selects the button. */
  readonly buttonText?: string;
  readonly actionId?: string;
  readonly value?: string;
  /** For a menu: the entry to choose. */
  readonly optionText?: string;
  /** The same, by its value. */
  readonly option?: string;
  /**
   * What to do in the dialog that the click opens. If not set, it is filled in carefully and submitted; `leave` does not wait for one. Text by block overrides
   * what would be typed.
   */
  readonly dialog?: 'leave' | Readonly<Record<string, string>>;
  /** Departures from what Slack would send, for testing the checks. */
  readonly forge?: Forgery;
}

export interface Forgery {
  readonly unsigned?: boolean;
  readonly signingSecret?: string;
  /** Shifts the signed time; positive is the future. */
  readonly clockSeconds?: number;
  readonly appId?: string;
  readonly teamId?: string;
  readonly userTeamId?: string;
  readonly messageTs?: string;
  readonly channelId?: string;
  /** Sends the action twice in one payload. */
  readonly doubled?: boolean;
  /** Sends a button with this value that is not (or no longer) in any message. */
  readonly inventedValue?: string;
  readonly actionTs?: string;
  /** The address that the click gives for answers to it. */
  readonly responseUrl?: string;
  /** For a dialog: another `private_metadata` than the one that the app set. */
  readonly privateMetadata?: string;
  /** For a dialog: another view's id. */
  readonly viewId?: string;
}

/** What went over the wire, so that a test can send it again. */
export interface SentRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Delivery {
  readonly request: SentRequest;
  /** The app's HTTP status; 0 if it did not answer within Slack's 3 s. */
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
  /** The dialog that the click opened, if it was submitted: then `status` and `body` are the answer to that. */
  readonly dialog?: SentDialog;
}

interface SentDialog {
  readonly request: SentRequest;
  readonly result: DialogOutcome;
}

export interface SubmitOptions {
  readonly viewId: string;
  readonly user: string;
  /** Text by block. */
  readonly typed: Readonly<Record<string, string>>;
  readonly forge?: Forgery;
}

export interface ShortcutOptions {
  readonly user: string;
  readonly channel: string;
  /** The message's ts. */
  readonly ts: string;
  readonly callbackId: string;
  readonly forge?: Forgery;
}

export interface CommandOptions {
  readonly user: string;
  readonly channel: string;
  /** Including its slash. */
  readonly command: string;
  readonly text?: string;
  readonly forge?: Forgery;
}
