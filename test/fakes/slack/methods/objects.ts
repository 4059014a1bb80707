import type { FakeMessage, FakeUser, SlackWorld } from '../world.ts';

/** A message as the Web API and interaction payloads show it. https://docs.slack.dev/reference/objects/message-object */
export function messageObject(
  message: FakeMessage,
  world: SlackWorld,
  { withMetadata = true }: { readonly withMetadata?: boolean } = {},
): Readonly<Record<string, unknown>> {
  const replies = message.threadTs === undefined ? world.replies(message.channel, message.ts) : [];
  const last = replies.at(-1);
  return {
    type: 'message',
    user: message.user,
    ts: message.ts,
    text: message.text,
    team: world.teamId,
    ...(message.botId === undefined ? {} : { bot_id: message.botId, app_id: message.appId, bot_profile: botProfile(world) }),
    ...(message.blocks === undefined ? {} : { blocks: message.blocks }),
    ...(message.editedTs === undefined ? {} : { edited: { user: message.user, ts: message.editedTs } }),
    ...(withMetadata && message.metadata !== undefined ? { metadata: message.metadata } : {}),
    ...(message.threadTs === undefined ? {} : { thread_ts: message.threadTs, parent_user_id: message.user }),
    ...(last === undefined
      ? {}
      : { thread_ts: message.ts, reply_count: replies.length, reply_users: [last.user], latest_reply: last.ts }),
  };
}

function botProfile(world: SlackWorld) {
  return { id: world.botId, app_id: world.appId, name: world.appName, deleted: false, team_id: world.teamId };
}

/** https://docs.slack.dev/reference/objects/user-object */
export function userObject(user: FakeUser, world: SlackWorld): Readonly<Record<string, unknown>> {
  const deleted = user.deleted === true;
  const real = user.realName ?? user.name;
  return {
    id: user.id,
    team_id: user.teamId ?? (user.isStranger === true ? 'T0ELSEWHERE' : world.teamId),
    name: user.name,
    deleted,
    real_name: real,
    tz: 'Europe/Berlin',
    profile: { real_name: real, display_name: user.name, title: user.title ?? '' },
    is_bot: user.isBot === true,
    ...(deleted
      ? {}
      : {
          is_admin: false,
          is_owner: false,
          is_primary_owner: false,
          is_restricted: user.isRestricted === true || user.isUltraRestricted === true,
          is_ultra_restricted: user.isUltraRestricted === true,
        }),
    is_app_user: false,
    ...(user.isStranger === true ? { is_stranger: true } : {}),
    updated: 1_700_000_000,
  };
}
