import { LogLevel, WebClient, type WebClientOptions } from '@slack/web-api';
import { FirebreakError } from '../../core/errors.ts';
import { boundedFetch } from '../bounded-fetch.ts';
import { slackFault } from './fault.ts';

export interface SlackEndpoint {
  /** For a Slack other than slack.com; ends with `/`. */
  readonly apiUrl?: string | undefined;
  /** Timeout of one call. */
  readonly timeoutMs?: number | undefined;
}

/** Options for a client that never retries, pauses or follows a foreign address: the caller (a durable activity) decides about that. */
export function slackClientOptions({ apiUrl, timeoutMs = 5_000 }: SlackEndpoint): WebClientOptions {
  return {
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
    fetch: fetchFrom(apiUrl),
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: timeoutMs,
    allowAbsoluteUrls: false,
    logLevel: LogLevel.ERROR,
    logger: silentLogger,
  };
}

/** A message with all its blocks, or a page of a list, is about a tenth of this. */
const largestAnswer = 4 * 1_048_576;

/** Slack's own domain and its government domain. */
const slackDomains = ['slack.com', 'slack-gov.com'];

/**
 * A `fetch` that reaches only Slack, or only the other Slack if one is configured. The `response_url` arrives with the click, so the address it names is not
 * trusted. Redirects are not followed, and answers larger than Slack's are rejected.
 */
export function fetchFrom(apiUrl: string | undefined): typeof fetch {
  const mayGo = ({ protocol, host, hostname, origin }: URL): boolean =>
    apiUrl === undefined
      ? protocol === 'https:' &&
        host === hostname &&
        slackDomains.some((domain) => hostname === domain || hostname.endsWith(`.${domain}`))
      : origin === new URL(apiUrl).origin;
  return async (input, init) => {
    const asked = input instanceof Request ? input.url : String(input);
    const url = URL.canParse(asked) ? new URL(asked) : undefined;
    if (!url || !mayGo(url))
      throw new FirebreakError('FB_ERR_REFUSED', 'refused to call an address that does not belong to Slack');
    const response = await boundedFetch(input, { ...init, redirect: 'error' }, largestAnswer);
    // The SDK would unpack it, however large. None of the methods we use returns such an answer.
    response.headers.delete('content-type');
    return response;
  };
}

export function createSlackClient({ botToken, ...endpoint }: SlackEndpoint & { readonly botToken: string }): WebClient {
  return new WebClient(botToken, slackClientOptions(endpoint));
}

/** Slack's libraries log bodies and tokens at some levels; anything important reaches our own log as an error code. */
export const silentLogger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  getLevel: () => LogLevel.ERROR,
  setName() {},
};

/**
 * Runs one call and turns every failure into a FirebreakError that holds the method and Slack's error name, never a body or a token. Throws FB_ERR_UNAVAILABLE
 * (a RetryLaterError if Slack said when to retry, a NeedsOperator if somebody has to fix something), FB_ERR_NOT_FOUND (a MessageGone), or FB_ERR_REFUSED (a
 * ContentRefused).
 */
export async function callSlack<Result>(method: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw slackFault(method, error);
  }
}
