import { LogLevel, WebClient, type WebClientOptions } from '@slack/web-api';
import { FirebreakError } from '../../core/errors.ts';
import { boundedFetch } from '../bounded-fetch.ts';
import { slackFault } from './fault.ts';

export interface SlackEndpoint {
  /** For another Slack than slack.com; ends with `/`. */
  readonly apiUrl?: string | undefined;
  /** How long one call may take. */
  readonly timeoutMs?: number | undefined;
}

/** A client that never retries, pauses or follows a foreign address: whoever calls it (a durable activity) decides about that. */
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

/** A message with all its blocks, and a page of a list, have a tenth of it. */
const largestAnswer = 4 * 1_048_576;

/** Slack's own, and Slack's for governments. */
const slackDomains = ['slack.com', 'slack-gov.com'];

/**
 * A `fetch` that goes to Slack and nowhere else: the `response_url` of a click comes with the click, and is no reason to call whomever it names.
 * Where another Slack is configured, that one only. No redirect is followed, and no answer is larger than Slack's are.
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
    // The SDK would unpack it, however large that is. No method of ours has such an answer.
    response.headers.delete('content-type');
    return response;
  };
}

export function createSlackClient({ botToken, ...endpoint }: SlackEndpoint & { readonly botToken: string }): WebClient {
  return new WebClient(botToken, slackClientOptions(endpoint));
}

/** Slack's libraries log bodies and tokens at some levels; what matters reaches our own log as an error code. */
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
 * Runs one call and turns every fault into a FirebreakError that holds method and Slack's error name, never a body or a token.
 * Throws FB_ERR_UNAVAILABLE (a RetryLaterError when Slack said when, a NeedsOperator when somebody has to mend something), FB_ERR_NOT_FOUND
 * (a MessageGone), or FB_ERR_REFUSED (a ContentRefused).
 */
export async function callSlack<Result>(method: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw slackFault(method, error);
  }
}
