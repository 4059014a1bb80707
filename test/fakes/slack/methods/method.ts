import type { FakeChannel, SlackWorld } from '../world.ts';

/** An answer with `ok: false`. */
export class SlackRefusal extends Error {
  readonly error: string;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(error: string, extra: Readonly<Record<string, unknown>> = {}) {
    super(error);
    this.error = error;
    this.extra = extra;
  }
}

export type Args = Readonly<Record<string, unknown>>;
export interface Method {
  readonly scope?: string;
  /** Needs an app-level token; if not set, the bot's. */
  readonly token?: 'app';
  readonly run: (args: Args, world: SlackWorld) => Readonly<Record<string, unknown>>;
}

export function text(args: Args, name: string): string | undefined {
  const value = args[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function required(args: Args, name: string): string {
  const value = text(args, name);
  if (value === undefined) {
    throw new SlackRefusal('invalid_arguments', { response_metadata: { messages: [`[ERROR] missing required field: ${name}`] } });
  }
  return value;
}

export function flag(args: Args, name: string): boolean {
  return args[name] === true || args[name] === 'true' || args[name] === '1';
}

/** Lists and objects arrive as JSON text in a form, or directly in a JSON body. */
export function structured(args: Args, name: string, error: string): unknown {
  const value = args[name];
  if (typeof value !== 'string') return value;
  if (value === '') return undefined;
  try {
    return JSON.parse(value);
  } catch {
    throw new SlackRefusal(error);
  }
}

/** The bot's channel: it must exist, and the bot must be in it. */
export function channelOf(args: Args, world: SlackWorld): FakeChannel {
  const channel = world.channels.get(text(args, 'channel') ?? '');
  if (channel === undefined) throw new SlackRefusal('channel_not_found');
  if (channel.botIsMember === false) throw new SlackRefusal('not_in_channel');
  return channel;
}

/** One page of a list. https://docs.slack.dev/apis/web-api/pagination */
export function paged<Item>(args: Args, items: readonly Item[], fallback: number) {
  const limit = Number(args.limit ?? fallback);
  if (!Number.isInteger(limit) || limit < 1 || limit > 999) throw new SlackRefusal('invalid_limit');
  const cursor = text(args, 'cursor');
  const start = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64').toString());
  if (!Number.isInteger(start) || start < 0) throw new SlackRefusal('invalid_cursor');
  const end = start + limit;
  const next = end < items.length ? Buffer.from(String(end)).toString('base64') : '';
  return { page: items.slice(start, end), has_more: next !== '', response_metadata: { next_cursor: next } };
}
