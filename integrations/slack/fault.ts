import { WebAPIHTTPError, WebAPIPlatformError, WebAPIRateLimitedError } from '@slack/web-api';
import { FirebreakError, RetryLaterError } from '../../core/errors.ts';

/** A failure that only a person can fix. Calls are retried until then, so that no question is lost. `detail` says what to do. */
export class NeedsOperator extends FirebreakError {
  readonly retryAfterMs = 30_000;

  constructor(detail: string) {
    super('FB_ERR_UNAVAILABLE', detail);
    this.name = 'NeedsOperator';
  }
}

/** Slack rejects the message's content, and will do so again on every retry. */
export class ContentRefused extends FirebreakError {
  constructor(detail: string) {
    super('FB_ERR_REFUSED', detail);
    this.name = 'ContentRefused';
  }
}

/** The message, or the first message of its thread, no longer exists, or we may no longer edit it. */
export class MessageGone extends FirebreakError {
  constructor(detail: string) {
    super('FB_ERR_NOT_FOUND', detail);
    this.name = 'MessageGone';
  }
}

/**
 * Slack's own transient errors. https://docs.slack.dev/reference/methods/chat.postMessage#errors, https://docs.slack.dev/reference/methods/chat.update#errors
 */
const passing: ReadonlySet<string> = new Set([
  'external_channel_migrating',
  'fatal_error',
  'internal_error',
  'org_login_required',
  'request_timeout',
  'rollup_error',
  'service_unavailable',
  'team_added_to_org',
  'update_failed',
]);
const limited: ReadonlySet<string> = new Set(['ratelimited', 'rate_limited', 'message_limit_exceeded']);
const missing: ReadonlySet<string> = new Set(['user_not_found']);
const gone: ReadonlySet<string> = new Set(['message_not_found', 'thread_not_found', 'cant_update_message']);
const content: ReadonlySet<string> = new Set([
  'block_mismatch',
  'invalid_arguments',
  'invalid_attachments',
  'invalid_blocks',
  'invalid_blocks_format',
  'msg_blocks_too_long',
  'msg_too_long',
]);

const token =
  'the bot token is not valid: install the app again, write its token where slack.botToken points, and restart the desk';
const appToken =
  'the app-level token is not valid: create another one, write it where slack.appToken points, and restart the desk';
const scope = 'the app lacks a permission: compare its scopes with deploy/slack/manifest.yaml, and install it again';
const invite = 'the app is not in that channel, or the channel does not exist: check slack.channel, and /invite the app';
const archived = 'the channel is archived: restore it, or set slack.channel to another one';
const posting = 'the channel does not let the app post: change who may post in it';
const admin = 'the administrators of the workspace do not let the app do this: ask them';
const byHand: Readonly<Record<string, string>> = {
  account_inactive: token,
  invalid_auth: token,
  not_authed: token,
  token_expired: token,
  token_revoked: token,
  missing_scope: scope,
  no_permission: scope,
  not_allowed_token_type: scope,
  channel_not_found: invite,
  not_in_channel: invite,
  is_archived: archived,
  is_inactive: archived,
  restricted_action: posting,
  restricted_action_non_threadable_channel: posting,
  restricted_action_read_only_channel: posting,
  restricted_action_thread_only_channel: posting,
  access_denied: admin,
  accesslimited: admin,
  ekm_access_denied: admin,
  enterprise_is_restricted: admin,
  team_access_not_granted: admin,
  two_factor_setup_required: admin,
};

/** Converts an error into a FirebreakError that holds the method and Slack's error name, never a body or a token. */
export function slackFault(method: string, error: unknown): FirebreakError {
  if (error instanceof FirebreakError) return error;
  if (error instanceof WebAPIRateLimitedError) {
    return new RetryLaterError(`Slack rate-limits ${method}`, { retryAfterMs: Math.max(1, error.retryAfter) * 1_000 });
  }
  if (error instanceof WebAPIHTTPError) {
    return error.statusCode >= 500 || error.statusCode === 408
      ? new FirebreakError('FB_ERR_UNAVAILABLE', `Slack answered ${method} with HTTP ${error.statusCode}`)
      : new FirebreakError('FB_ERR_REFUSED', `Slack answered ${method} with HTTP ${error.statusCode}`);
  }
  if (error instanceof WebAPIPlatformError) return named(method, error.data.error);
  return new FirebreakError('FB_ERR_UNAVAILABLE', `Slack did not answer ${method}`);
}

function named(method: string, given: string): FirebreakError {
  const name = /^[a-z0-9_]{1,64}$/.test(given) ? given : 'unknown_error';
  const detail = `Slack answered ${method} with ${name}`;
  const remedy = byHand[name] === token && method === 'apps.connections.open' ? appToken : byHand[name];
  if (remedy !== undefined) return new NeedsOperator(`${detail}: ${remedy}`);
  if (limited.has(name)) return new RetryLaterError(`Slack rate-limits ${method}`, { retryAfterMs: 1_000 });
  if (passing.has(name)) return new FirebreakError('FB_ERR_UNAVAILABLE', detail);
  if (gone.has(name)) return new MessageGone(detail);
  if (missing.has(name)) return new FirebreakError('FB_ERR_NOT_FOUND', detail);
  if (content.has(name)) return new ContentRefused(detail);
  if (name === 'edit_window_closed')
    return new FirebreakError(
      'FB_ERR_REFUSED',
      `${detail}: let the app edit its messages at any time (workspace settings, message editing)`,
    );
  return new FirebreakError('FB_ERR_REFUSED', detail);
}
