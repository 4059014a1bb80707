import type { WebAPICallResult } from '@slack/web-api';
import { FirebreakError } from '../../core/errors.ts';
import { callSlack, createSlackClient, type SlackEndpoint } from './client.ts';

/** Something that is not as the desk needs it. */
interface SlackProblem {
  readonly problem: string;
  readonly remedy: string;
}

/** As in deploy/slack/manifest.yaml; one of the history scopes is enough, depending on the kind of channel. */
const scopes = ['chat:write', 'users:read', 'commands'] as const;
const histories = ['channels:history', 'groups:history'] as const;
const ofGroups = 'usergroups:read';
const ofDirectMessages = 'im:write';

/**
 * Checks everything that the desk needs from Slack without changing anything: the token, the workspace, the scopes, and the channel by reading its last
 * message, which needs no scope beyond the app's own.
 */
export async function examineSlack(
  options: SlackEndpoint & {
    readonly botToken: string;
    readonly appToken?: string;
    readonly teamId: string;
    readonly channel: string;
    readonly followsGroups: boolean;
  },
): Promise<{ readonly problems: readonly SlackProblem[]; readonly sendsDirectMessages: boolean }> {
  const { botToken, appToken, teamId, channel, followsGroups, apiUrl, timeoutMs } = options;
  const endpoint = { apiUrl, timeoutMs };
  const client = createSlackClient({ ...endpoint, botToken });
  const asked: { readonly team_id?: string; readonly granted: readonly string[] } | SlackProblem = await callSlack(
    'auth.test',
    () => client.auth.test(),
  ).then((answer) => ({ ...answer, granted: grantedBy(answer) }), problemOf);
  if ('problem' in asked) return { problems: [asked], sendsDirectMessages: false };
  const { team_id: team, granted } = asked;
  const problems: SlackProblem[] = [];
  if (team !== teamId)
    problems.push({
      problem: `the bot token belongs to the workspace ${team ?? 'unknown'}, but slack.teamId is ${teamId}`,
      remedy: 'Correct slack.teamId, or use the token of that workspace.',
    });
  const lacking = [
    ...[...scopes, ...(followsGroups ? [ofGroups] : [])].filter((scope) => !granted.includes(scope)),
    ...(histories.some((scope) => granted.includes(scope)) ? [] : [histories.join(' or ')]),
  ];
  if (lacking.length > 0)
    problems.push({
      problem: `the app lacks the scopes ${lacking.join(', ')}`,
      remedy: 'Give it the scopes in deploy/slack/manifest.yaml, and install it again.',
    });
  if (histories.some((scope) => granted.includes(scope)))
    await callSlack('conversations.history', () => client.conversations.history({ channel, limit: 1 })).catch((error: unknown) =>
      problems.push(problemOf(error)),
    );
  if (appToken !== undefined) {
    const app = createSlackClient({ ...endpoint, botToken: appToken });
    // Opens an address that nobody connects to: it expires by itself.
    await callSlack('apps.connections.open', () => app.apps.connections.open({})).catch((error: unknown) =>
      problems.push(problemOf(error)),
    );
  }
  return { problems, sendsDirectMessages: granted.includes(ofDirectMessages) };
}

/** https://docs.slack.dev/authentication/installing-with-oauth: each answer lists the token’s scopes in `x-oauth-scopes`. */
function grantedBy({ response_metadata: metadata }: WebAPICallResult): readonly string[] {
  return metadata?.scopes ?? [];
}

/** The error says after its colon what to do, if anything can be done. */
function problemOf(error: unknown): SlackProblem {
  const detail = error instanceof FirebreakError ? error.detail : 'Slack did not answer';
  const [problem = detail, ...remedy] = detail.split(': ');
  const known = remedy.join(': ');
  return {
    problem,
    remedy:
      known === ''
        ? 'Check status.slack.com, and whether HTTPS to slack.com is allowed.'
        : `${known[0]?.toUpperCase()}${known.slice(1)}.`,
  };
}
