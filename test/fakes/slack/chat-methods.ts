import { messageMetadata, parseBlocks } from './block-schema.ts';
import { type Args, channelOf, type Method, required, SlackRefusal, structured, text } from './method.ts';
import { messageObject } from './objects.ts';
import type { FakeMessage, SlackWorld } from './world.ts';

const textMax = 40_000;
const metadataMax = 8_000;

/** https://docs.slack.dev/reference/methods/chat.postMessage and its neighbours. */
export const chatMethods: Readonly<Record<string, Method>> = {
  'chat.postMessage': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      if (channel.isArchived === true) throw new SlackRefusal('is_archived');
      const threadTs = text(args, 'thread_ts');
      const root = threadTs === undefined ? undefined : world.message(channel.id, threadTs);
      if (threadTs !== undefined && (root === undefined || root.ephemeralFor !== undefined)) {
        throw new SlackRefusal('thread_not_found');
      }
      const message = world.add({
        ...byApp(world),
        channel: channel.id,
        ts: world.nextTs(),
        ...content(args),
        ...threaded(root),
      });
      return { channel: channel.id, ts: message.ts, message: messageObject(message, world) };
    },
  },
  'chat.update': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const old = world.message(channel.id, required(args, 'ts'));
      if (old === undefined || old.ephemeralFor !== undefined) throw new SlackRefusal('message_not_found');
      if (old.appId !== world.appId) throw new SlackRefusal('cant_update_message');
      const fresh = content(args);
      const { blocks: _gone, ...rest } = old;
      const message: FakeMessage = { ...rest, ...fresh, editedTs: world.nextTs() };
      world.replace(old, message);
      return { channel: channel.id, ts: message.ts, text: message.text, message: messageObject(message, world) };
    },
  },
  'chat.postEphemeral': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const user = required(args, 'user');
      if (!world.users.has(user)) throw new SlackRefusal('user_not_found');
      if (!world.isMember(channel, user)) throw new SlackRefusal('user_not_in_channel');
      const threadTs = text(args, 'thread_ts');
      const { metadata: _none, ...shown } = content(args);
      const message = world.add({
        ...byApp(world),
        channel: channel.id,
        ts: world.nextTs(),
        ...shown,
        ephemeralFor: user,
        ...(threadTs === undefined ? {} : { threadTs }),
      });
      return { message_ts: message.ts };
    },
  },
  'chat.delete': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const old = world.message(channel.id, required(args, 'ts'));
      if (old === undefined) throw new SlackRefusal('message_not_found');
      if (old.appId !== world.appId) throw new SlackRefusal('cant_delete_message');
      world.remove(old);
      return { channel: channel.id, ts: old.ts };
    },
  },
  'chat.getPermalink': {
    run: (args, world) => {
      const channel = channelOf(args, world);
      const ts = required(args, 'message_ts');
      if (world.message(channel.id, ts) === undefined) throw new SlackRefusal('message_not_found');
      return { channel: channel.id, permalink: `https://acme.slack.com/archives/${channel.id}/p${ts.replace('.', '')}` };
    },
  },
};

function byApp(world: SlackWorld) {
  return { user: world.botUserId, botId: world.botId, appId: world.appId };
}

/** A reply to a reply lands in the same thread. */
function threaded(root: FakeMessage | undefined): { readonly threadTs?: string } {
  return root === undefined ? {} : { threadTs: root.threadTs ?? root.ts };
}

export function content(args: Args): Pick<FakeMessage, 'text' | 'blocks' | 'metadata'> {
  const message = text(args, 'text') ?? '';
  if (message.length > textMax) throw new SlackRefusal('msg_too_long');
  const given = structured(args, 'blocks', 'invalid_blocks_format');
  const metadata = metadataOf(args);
  if (given === undefined || (Array.isArray(given) && given.length === 0)) {
    if (message === '') throw new SlackRefusal('no_text');
    return { text: message, ...metadata };
  }
  const parsed = parseBlocks(given);
  if (!parsed.ok) {
    throw new SlackRefusal(parsed.error, { errors: parsed.messages, response_metadata: { messages: parsed.messages } });
  }
  return { text: message, blocks: parsed.blocks, ...metadata };
}

function metadataOf(args: Args): Pick<FakeMessage, 'metadata'> {
  const given = structured(args, 'metadata', 'invalid_metadata_format');
  if (given === undefined) return {};
  if (JSON.stringify(given).length > metadataMax) throw new SlackRefusal('metadata_too_large');
  const parsed = messageMetadata.safeParse(given);
  if (!parsed.success) throw new SlackRefusal('invalid_metadata_schema');
  return { metadata: parsed.data };
}
