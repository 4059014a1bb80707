import { channelOf, flag, type Method, paged, required, SlackRefusal, text } from './method.ts';
import { messageObject, userObject } from './objects.ts';

/** What an app can query in Slack. https://docs.slack.dev/reference/methods */
export const readMethods: Readonly<Record<string, Method>> = {
  'api.test': { run: (args) => ({ args }) },
  'auth.test': {
    run: (_args, world) => ({
      url: 'https://acme.slack.com/',
      team: world.teamName,
      user: 'firebreak',
      team_id: world.teamId,
      user_id: world.botUserId,
      bot_id: world.botId,
      is_enterprise_install: false,
    }),
  },
  'conversations.history': {
    scope: 'channels:history',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const [oldest, latest] = [Number(text(args, 'oldest') ?? 0), Number(text(args, 'latest') ?? Number.POSITIVE_INFINITY)];
      if (Number.isNaN(oldest)) throw new SlackRefusal('invalid_ts_oldest');
      if (Number.isNaN(latest)) throw new SlackRefusal('invalid_ts_latest');
      const within = world.channelMessages(channel.id).filter(({ ts }) => Number(ts) > oldest && Number(ts) < latest);
      const { page, ...rest } = paged(args, within.toReversed(), 100);
      const withMetadata = flag(args, 'include_all_metadata');
      return { messages: page.map((message) => messageObject(message, world, { withMetadata })), pin_count: 0, ...rest };
    },
  },
  'conversations.replies': {
    scope: 'channels:history',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const root = world.message(channel.id, required(args, 'ts'));
      if (root === undefined || root.ephemeralFor !== undefined) throw new SlackRefusal('thread_not_found');
      const { page, ...rest } = paged(args, [root, ...world.replies(channel.id, root.ts)], 1_000 - 1);
      const withMetadata = flag(args, 'include_all_metadata');
      return { messages: page.map((message) => messageObject(message, world, { withMetadata })), ...rest };
    },
  },
  // https://docs.slack.dev/reference/methods/conversations.open: the same conversation each time.
  'conversations.open': {
    scope: 'im:write',
    run: (args, world) => {
      const user = required(args, 'users');
      const account = world.users.get(user);
      if (account === undefined) throw new SlackRefusal('user_not_found');
      if (account.deleted === true) throw new SlackRefusal('user_disabled');
      if (account.isBot === true) throw new SlackRefusal('cannot_dm_bot');
      const id = `D${user.slice(1)}`;
      const isNew = !world.channels.has(id);
      if (isNew) world.channels.set(id, { id, name: '', members: [user], directWith: user });
      return isNew ? { channel: { id } } : { channel: { id }, no_op: true, already_open: true };
    },
  },
  'conversations.info': {
    scope: 'channels:read',
    run: (args, world) => {
      const channel = world.channels.get(text(args, 'channel') ?? '');
      if (channel === undefined) throw new SlackRefusal('channel_not_found');
      const { id, name } = channel;
      return {
        channel: {
          id,
          name,
          is_channel: true,
          is_archived: channel.isArchived === true,
          is_member: channel.botIsMember !== false,
        },
      };
    },
  },
  'users.info': {
    scope: 'users:read',
    run: (args, world) => {
      const user = world.users.get(required(args, 'user'));
      if (user === undefined) throw new SlackRefusal('user_not_found');
      return { user: userObject(user, world) };
    },
  },
  'usergroups.users.list': {
    scope: 'usergroups:read',
    run: (args, world) => {
      const users = world.userGroups.get(required(args, 'usergroup'));
      if (users === undefined) throw new SlackRefusal('no_such_subteam');
      return { users };
    },
  },
};
