import { EventEmitter } from 'node:events';
import type { Block, View } from './methods/block-schema.ts';

/** The contents of the emulator's workspace. Shapes follow https://docs.slack.dev/reference/objects. */
export interface FakeUser {
  readonly id: string;
  readonly name: string;
  readonly realName?: string;
  readonly title?: string;
  readonly isBot?: boolean;
  readonly deleted?: boolean;
  readonly isRestricted?: boolean;
  readonly isUltraRestricted?: boolean;
  /** From another workspace, through Slack Connect. */
  readonly isStranger?: boolean;
  readonly teamId?: string;
}

export interface FakeChannel {
  readonly id: string;
  readonly name: string;
  readonly topic?: string;
  /** User ids; absent: everybody. */
  readonly members?: readonly string[];
  /** Whether the app's bot is in it. Default: yes. */
  readonly botIsMember?: boolean;
  readonly isArchived?: boolean;
  /** The conversation of the app with this account. */
  readonly directWith?: string;
}

export interface FakeMessage {
  readonly channel: string;
  readonly ts: string;
  readonly threadTs?: string;
  /** A reply that the channel shows, too. */
  readonly inChannel?: true;
  /** Whom it has notified, as a mention. */
  readonly notified?: readonly string[];
  readonly user: string;
  readonly appId?: string;
  readonly botId?: string;
  readonly text: string;
  readonly blocks?: readonly Block[];
  readonly metadata?: { readonly event_type: string; readonly event_payload: Readonly<Record<string, unknown>> };
  readonly editedTs?: string;
  /** Visible only to this user. */
  readonly ephemeralFor?: string;
}

export interface FakeView {
  readonly id: string;
  readonly user: string;
  readonly hash: string;
  readonly rootId: string;
  readonly view: View;
}

interface ResponseUrl {
  readonly channel: string;
  readonly messageTs: string;
  readonly user: string;
  readonly expires: number;
  uses: number;
}

export interface Trigger {
  readonly user: string;
  /** The modal that it was exchanged for. */
  viewId?: string;
  readonly expires: number;
  used: boolean;
}

/** Everything that the emulated Slack stores. Emits `change` when a person would see something new. */
export class SlackWorld extends EventEmitter {
  readonly appId: string;
  readonly teamId: string;
  readonly teamName: string;
  readonly appName: string;
  readonly botUserId = 'U0FIREBOT';
  readonly botId = 'B0FIREBOT';
  readonly users: Map<string, FakeUser>;
  readonly channels: Map<string, FakeChannel>;
  readonly userGroups: Map<string, readonly string[]>;
  readonly messages: FakeMessage[] = [];
  readonly views = new Map<string, FakeView>();
  readonly responseUrls = new Map<string, ResponseUrl>();
  readonly triggers = new Map<string, Trigger>();
  #lastTs = 0n;
  #ids = 0;

  constructor(options: {
    readonly appId: string;
    readonly teamId: string;
    readonly teamName?: string;
    readonly appName?: string;
    readonly users: readonly FakeUser[];
    readonly channels: readonly FakeChannel[];
    readonly userGroups?: Readonly<Record<string, readonly string[]>>;
  }) {
    super();
    this.setMaxListeners(0);
    this.appId = options.appId;
    this.teamId = options.teamId;
    this.teamName = options.teamName ?? 'Acme';
    this.appName = options.appName ?? 'Firebreak';
    const bot: FakeUser = { id: this.botUserId, name: 'firebreak', realName: this.appName, isBot: true };
    this.users = new Map([bot, ...options.users].map((user) => [user.id, user]));
    this.channels = new Map(options.channels.map((channel) => [channel.id, channel]));
    this.userGroups = new Map(Object.entries(options.userGroups ?? {}));
  }

  /** Slack's message ids: seconds and six digits, never repeated. */
  nextTs(): string {
    const now = BigInt(Date.now()) * 1_000n;
    this.#lastTs = now > this.#lastTs ? now : this.#lastTs + 1n;
    return `${this.#lastTs / 1_000_000n}.${String(this.#lastTs % 1_000_000n).padStart(6, '0')}`;
  }

  nextId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}${String(this.#ids).padStart(8, '0')}`;
  }

  changed(): void {
    this.emit('change');
  }

  add(message: FakeMessage): FakeMessage {
    this.messages.push(message);
    this.changed();
    return message;
  }

  replace(old: FakeMessage, message: FakeMessage): void {
    this.messages[this.messages.indexOf(old)] = message;
    this.changed();
  }

  remove(message: FakeMessage): void {
    this.messages.splice(this.messages.indexOf(message), 1);
    this.changed();
  }

  message(channel: string, ts: string): FakeMessage | undefined {
    return this.messages.find((one) => one.channel === channel && one.ts === ts);
  }

  /** The channel's messages visible to all, oldest first. */
  channelMessages(channel: string): readonly FakeMessage[] {
    return this.messages.filter((one) => one.channel === channel && one.threadTs === undefined && one.ephemeralFor === undefined);
  }

  replies(channel: string, threadTs: string): readonly FakeMessage[] {
    return this.messages.filter((one) => one.channel === channel && one.threadTs === threadTs && one.ephemeralFor === undefined);
  }

  /** The topmost modal that this person sees. */
  openView(user: string): FakeView | undefined {
    return [...this.views.values()].findLast((view) => view.user === user);
  }

  ephemerals(user: string): readonly FakeMessage[] {
    return this.messages.filter((one) => one.ephemeralFor === user);
  }

  isMember(channel: FakeChannel, user: string): boolean {
    if (user === this.botUserId) return channel.botIsMember !== false;
    return channel.members?.includes(user) ?? this.users.has(user);
  }
}
