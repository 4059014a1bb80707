import { createHash } from 'node:crypto';
import { isValidSlackRequest } from '@slack/bolt';
import type { ClickRefusal } from '../refusal.ts';

/** Slack's own limit for the past; Bolt does not check for times in the future. https://docs.slack.dev/authentication/verifying-requests-from-slack */
const windowSeconds = 300;

interface SignedRequest {
  readonly rawBody: Buffer;
  readonly signature: string | undefined;
  /** Seconds since 1970, as Slack wrote them. */
  readonly timestamp: string | undefined;
}

/**
 * Accepts each request once, if any of the secrets signed it and its time is within the window in either direction. There is more than one secret during
 * rotation.
 */
export class RequestVerifier {
  readonly #secrets: readonly string[];
  readonly #now: () => number;
  readonly #remembered: number;
  /** Hash of time and body → when it may be forgotten, in seconds. In order of arrival. */
  readonly #seen = new Map<string, number>();

  constructor({
    secrets,
    now,
    remembered = 20_000,
  }: {
    readonly secrets: readonly string[];
    readonly now: () => number;
    readonly remembered?: number;
  }) {
    this.#secrets = secrets;
    this.#now = now;
    this.#remembered = remembered;
  }

  /** Checks before the body is read: a request without Slack's headers is not waited for. */
  refusalByHead({ signature, timestamp }: Omit<SignedRequest, 'rawBody'>): ClickRefusal | undefined {
    if (signature === undefined || timestamp === undefined) return { reason: 'unsigned', detail: 'signature or time is missing' };
    // Exactly as Slack writes it: with a leading zero the same request would pass as a new one.
    if (!/^[1-9]\d{0,11}$/.test(timestamp)) return { reason: 'unsigned', detail: 'the time is not a number' };
    return undefined;
  }

  /** Returns undefined if the request comes from Slack, is new and is recent. */
  refusal({ rawBody, signature, timestamp }: SignedRequest): ClickRefusal | undefined {
    const foreign = this.refusalByHead({ signature, timestamp });
    if (foreign !== undefined || signature === undefined || timestamp === undefined) return foreign;
    const headers = { 'x-slack-signature': signature, 'x-slack-request-timestamp': Number(timestamp) };
    const body = rawBody.toString('utf8');
    // The time is checked after the signature: a request from a stranger says nothing about our clock.
    const request = { body, headers, nowMilliseconds: Number(timestamp) * 1_000 };
    if (!this.#secrets.some((signingSecret) => isValidSlackRequest({ signingSecret, ...request })))
      return { reason: 'bad_signature', detail: 'no signing secret matches' };
    const now = this.#now() / 1_000;
    const age = now - Number(timestamp);
    if (age > windowSeconds) return { reason: 'too_old', detail: `signed ${Math.round(age)} s ago` };
    if (age < -windowSeconds) return { reason: 'future_dated', detail: `signed ${Math.round(-age)} s in the future` };
    return this.#replay({ base: `${timestamp}:${body}`, until: Number(timestamp) + windowSeconds, now });
  }

  #replay({
    base,
    until,
    now,
  }: {
    readonly base: string;
    readonly until: number;
    readonly now: number;
  }): ClickRefusal | undefined {
    const key = createHash('sha256').update(base).digest('base64');
    const known = this.#seen.get(key);
    if (known !== undefined && known >= now) return { reason: 'replayed', detail: 'the same request was received before' };
    for (const [old, end] of this.#seen) {
      if (end >= now && this.#seen.size < this.#remembered) break;
      this.#seen.delete(old);
    }
    this.#seen.set(key, until);
    return undefined;
  }
}
