import type { DialogOutcome } from './dialogs.ts';

export interface ClickOptions {
  /** Who clicks: a user's id. */
  readonly user: string;
  readonly channel?: string;
  /** Which message; without it, the newest one that has the button. */
  readonly ts?: string;
  /** One of these says which button. */
  readonly buttonText?: string;
  readonly actionId?: string;
  readonly value?: string;
  /** Of a menu: which of its entries. */
  readonly optionText?: string;
  /** The same, by its value. */
  readonly option?: string;
  /**
   * What to do in the dialog that the click opens. Without it, somebody careful fills it in and sends it off; `leave` does not wait for one.
   * Text by block goes before what they would type.
   */
  readonly dialog?: 'leave' | Readonly<Record<string, string>>;
  /** Departures from what Slack would send, for tests of who checks it. */
  readonly forge?: Forgery;
}

export interface Forgery {
  readonly unsigned?: boolean;
  readonly signingSecret?: string;
  /** Moves the signed time; positive is the future. */
  readonly clockSeconds?: number;
  readonly appId?: string;
  readonly teamId?: string;
  readonly userTeamId?: string;
  readonly messageTs?: string;
  readonly channelId?: string;
  /** Sends the action twice in one payload. */
  readonly doubled?: boolean;
  /** Sends a button that is (or is no longer) in no message, with this value. */
  readonly inventedValue?: string;
  readonly actionTs?: string;
  /** Where the click says that it is to be answered. */
  readonly responseUrl?: string;
  /** Of a dialog: another `private_metadata` than the one that the app gave it. */
  readonly privateMetadata?: string;
  /** Of a dialog: another view's id. */
  readonly viewId?: string;
}

/** What went over the wire, to be sent again by a test. */
export interface SentRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Delivery {
  readonly request: SentRequest;
  /** The app's HTTP status; 0 when it did not answer within Slack's 3 s. */
  readonly status: number;
  readonly body: string;
  readonly tookMs: number;
  /** The dialog that the click opened, when it was sent off: then `status` and `body` are the answer to that. */
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
  /** Of the message. */
  readonly ts: string;
  readonly callbackId: string;
  readonly forge?: Forgery;
}

export interface CommandOptions {
  readonly user: string;
  readonly channel: string;
  /** With its slash. */
  readonly command: string;
  readonly text?: string;
  readonly forge?: Forgery;
}
