import type { FakeMessage, SlackWorld } from '../world.ts';
import { messageMetadata, parseBlocks } from './block-schema.ts';
import { type Args, channelOf, flag, type Method, required, SlackRefusal, structured, text } from './method.ts';
import { messageObject } from './objects.ts';

/** Longer text is cut, and posted with a warning. https://docs.slack.dev/changelog/2018-truncating-really-long-messages */
const textMax = 40_000;
/** `msg_too_long`: “The `text` field cannot exceed 4,000 characters.” https://docs.slack.dev/reference/methods/chat.update#errors */
const updateTextMax = 4_000;
const markdownMax = 12_000;
const attachmentsMax = 100;
const metadataMax = 8_000;

/** https://docs.slack.dev/reference/methods/chat.postMessage and related methods. */
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
      const shown = content(args);
      const message = world.add({
        ...byApp(world),
        channel: channel.id,
        ts: world.nextTs(),
        ...shown,
        notified: channel.directWith === undefined ? mentionedIn(shown, world) : [channel.directWith],
        ...threaded(root),
        ...(root !== undefined && flag(args, 'reply_broadcast') && { inChannel: true as const }),
      });
      return { channel: channel.id, ts: message.ts, message: messageObject(message, world), ...warning(args) };
    },
  },
  'chat.update': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      const old = world.message(channel.id, required(args, 'ts'));
      if (old === undefined || old.ephemeralFor !== undefined) throw new SlackRefusal('message_not_found');
      if (old.appId !== world.appId) throw new SlackRefusal('cant_update_message');
      if (channel.isArchived === true) throw new SlackRefusal('is_inactive');
      if ((text(args, 'text') ?? '').length > updateTextMax) throw new SlackRefusal('msg_too_long');
      const { blocks: _gone, ...rest } = old;
      const { metadata: before, ...kept } = rest;
      // An empty object removes the existing metadata.
      const metadata = isEmpty(structured(args, 'metadata', 'invalid_metadata_format')) ? {} : before && { metadata: before };
      const message: FakeMessage = { ...kept, ...metadata, ...content(args, { edits: true }), editedTs: world.nextTs() };
      world.replace(old, message);
      return { channel: channel.id, ts: message.ts, text: message.text, message: messageObject(message, world) };
    },
  },
  'chat.postEphemeral': {
    scope: 'chat:write',
    run: (args, world) => {
      const channel = channelOf(args, world);
      if (channel.isArchived === true) throw new SlackRefusal('is_archived');
      const user = required(args, 'user');
      // Unknown and deactivated users are not in it either.
      const account = world.users.get(user);
      if (account === undefined || account.deleted === true || !world.isMember(channel, user))
        throw new SlackRefusal('user_not_in_channel');
      const threadTs = text(args, 'thread_ts');
      const { metadata: _none, ...shown } = content(args);
      const message: FakeMessage = {
        ...byApp(world),
        channel: channel.id,
        ts: world.nextTs(),
        ...shown,
        ephemeralFor: user,
        ...(threadTs === undefined ? {} : { threadTs }),
      };
      // “Ephemeral messages in threads are only shown if there is already an active thread.”
      if (threadTs === undefined || world.replies(channel.id, threadTs).length > 0) world.add(message);
      return { message_ts: message.ts, ...warning(args) };
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

/** Accounts of the workspace that a new message notifies. An edit notifies nobody. */
function mentionedIn(shown: Pick<FakeMessage, 'text' | 'blocks'>, world: SlackWorld): readonly string[] {
  const found = JSON.stringify(shown.blocks ?? shown.text).matchAll(/<@([UW][A-Z0-9]+)>/g);
  return [...new Set([...found].map(([, user = '']) => user))].filter((user) => world.users.has(user));
}

function byApp(world: SlackWorld) {
  return { user: world.botUserId, botId: world.botId, appId: world.appId };
}

/** A reply to a reply goes to the same thread. */
function threaded(root: FakeMessage | undefined): { readonly threadTs?: string } {
  return root === undefined ? {} : { threadTs: root.threadTs ?? root.ts };
}

/** `edits`: an empty `metadata` is accepted, too. */
export function content(
  args: Args,
  { edits = false }: { readonly edits?: boolean } = {},
): Pick<FakeMessage, 'text' | 'blocks' | 'metadata'> {
  const markdown = text(args, 'markdown_text');
  const given = structured(args, 'blocks', 'invalid_blocks_format');
  const metadata = metadataOf(args, edits);
  const hasBlocks = given !== undefined && !(Array.isArray(given) && given.length === 0);
  if (markdown !== undefined && (hasBlocks || text(args, 'text') !== undefined)) throw new SlackRefusal('markdown_text_conflict');
  if (markdown !== undefined && markdown.length > markdownMax) throw new SlackRefusal('msg_too_long');
  const message = (markdown ?? text(args, 'text') ?? '').slice(0, textMax);
  const attached = attachmentsOf(args);
  if (!hasBlocks) {
    if (message === '' && attached === 0) throw new SlackRefusal('no_text');
    return { text: message, ...metadata };
  }
  const parsed = parseBlocks(given);
  if (!parsed.ok) {
    throw new SlackRefusal(parsed.error, { errors: parsed.messages, response_metadata: { messages: parsed.messages } });
  }
  return { text: message, blocks: parsed.blocks, ...metadata };
}

/** They are checked and counted, but not shown: none of our messages has any. */
function attachmentsOf(args: Args): number {
  const given = structured(args, 'attachments', 'invalid_attachments') ?? [];
  if (!Array.isArray(given)) throw new SlackRefusal('invalid_attachments');
  if (given.length > attachmentsMax) throw new SlackRefusal('too_many_attachments');
  return given.length;
}

function warning(args: Args): Readonly<Record<string, unknown>> {
  if ((text(args, 'text') ?? '').length <= textMax) return {};
  const messages = ['[WARN] Your message was truncated but still posted. The `text` field accepts up to 40,000 characters.'];
  return { warning: 'message_truncated', response_metadata: { messages, warnings: ['message_truncated'] } };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function metadataOf(args: Args, mayBeEmpty: boolean): Pick<FakeMessage, 'metadata'> {
  const given = structured(args, 'metadata', 'invalid_metadata_format');
  if (given === undefined) return {};
  if (typeof given !== 'object' || given === null) throw new SlackRefusal('invalid_metadata_format');
  if (mayBeEmpty && isEmpty(given)) return {};
  if (JSON.stringify(given).length > metadataMax) throw new SlackRefusal('metadata_too_large');
  const parsed = messageMetadata.safeParse(given);
  if (!parsed.success) throw new SlackRefusal('invalid_metadata_schema');
  return { metadata: parsed.data };
}
