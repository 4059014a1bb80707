import { callSlack, createSlackClient, type SlackEndpoint } from './client.ts';

/**
 * Reads the members of a Slack user group: account ids; Slack leaves out deactivated ones. Needs the scope `usergroups:read`; a tier-2 method, 20 calls a
 * minute. https://docs.slack.dev/reference/methods/usergroups.users.list Throws FB_ERR_UNAVAILABLE (maybe RetryLaterError), FB_ERR_REFUSED.
 */
export function createUserGroups(
  options: SlackEndpoint & { readonly botToken: string },
): (userGroup: string) => Promise<readonly string[]> {
  const client = createSlackClient(options);
  return async (usergroup) => {
    const { users } = await callSlack('usergroups.users.list', () => client.usergroups.users.list({ usergroup }));
    return users ?? [];
  };
}
