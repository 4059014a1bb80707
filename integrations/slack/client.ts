import {
  LogLevel,
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebClient,
  type WebClientOptions,
} from '@slack/web-api';
import { FirebreakError, RetryLaterError } from '../../core/errors.ts';

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
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: timeoutMs,
    allowAbsoluteUrls: false,
    logLevel: LogLevel.ERROR,
    logger: silentLogger,
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

/** Slack's own passing faults. https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const passing: ReadonlySet<string> = new Set([
  'fatal_error',
  'internal_error',
  'request_timeout',
  'service_unavailable',
  'team_added_to_org',
  'rollup_error',
]);
const limited: ReadonlySet<string> = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);
const missing: ReadonlySet<string> = new Set(['message_not_found', 'thread_not_found', 'user_not_found', 'channel_not_found']);

/**
 * Runs one call and turns every fault into a FirebreakError that holds method and Slack's error name, never a body or a token.
 * Throws FB_ERR_UNAVAILABLE (a RetryLaterError when Slack said when), FB_ERR_NOT_FOUND, or FB_ERR_REFUSED.
 */
export async function callSlack<Result>(method: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw mapped(method, error);
  }
}

function mapped(method: string, error: unknown): FirebreakError {
  if (error instanceof FirebreakError) return error;
  if (error instanceof WebAPIRateLimitedError) {
    return new RetryLaterError(`Slack limits ${method}`, { retryAfterMs: Math.max(1, error.retryAfter) * 1_000 });
  }
  if (error instanceof WebAPIHTTPError) {
    return error.statusCode >= 500 || error.statusCode === 408
      ? new FirebreakError('FB_ERR_UNAVAILABLE', `Slack answered ${method} with HTTP ${error.statusCode}`)
      : new FirebreakError('FB_ERR_REFUSED', `Slack answered ${method} with HTTP ${error.statusCode}`);
  }
  if (error instanceof WebAPIPlatformError) {
    const name = /^[a-z0-9_]{1,64}$/.test(error.data.error) ? error.data.error : 'unknown_error';
    if (limited.has(name)) return new RetryLaterError(`Slack limits ${method}`, { retryAfterMs: 1_000 });
    if (passing.has(name)) return new FirebreakError('FB_ERR_UNAVAILABLE', `Slack answered ${method} with ${name}`);
    if (missing.has(name)) return new FirebreakError('FB_ERR_NOT_FOUND', `Slack answered ${method} with ${name}`);
    return new FirebreakError('FB_ERR_REFUSED', `Slack answered ${method} with ${name}`);
  }
  return new FirebreakError('FB_ERR_UNAVAILABLE', `Slack did not answer ${method}`);
}
