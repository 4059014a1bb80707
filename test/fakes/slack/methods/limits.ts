/** Calls per minute of Slack's tiers: https://docs.slack.dev/apis/web-api/rate-limits. */
const perMinute: Readonly<Record<string, number>> = {
  'chat.update': 50,
  'chat.postEphemeral': 100,
  'conversations.history': 50,
  'conversations.replies': 50,
  'users.info': 100,
  'auth.test': 300,
  'apps.connections.open': 50,
  'views.open': 100,
  'views.update': 100,
  'views.push': 100,
  'usergroups.users.list': 20,
  'chat.getPermalink': 300,
  'reactions.add': 50,
};

/** `chat.postMessage`: one per second and channel; Slack allows short bursts. */
const burst = 5;

/** Buckets that refill over time. `take` returns the seconds to wait, or nothing. */
export class RateLimits {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  take(method: string, channel: string): number | undefined {
    if (method === 'chat.postMessage') return this.#from({ key: `${method} ${channel}`, size: burst, perSecond: 1 });
    const minute = perMinute[method];
    // Slack promises its tiers as a minimum: a fifth more is let through.
    return minute === undefined ? undefined : this.#from({ key: method, size: minute * 1.2, perSecond: minute / 60 });
  }

  /** As if no call had been made. */
  reset(): void {
    this.#buckets.clear();
  }

  #from({
    key,
    size,
    perSecond,
  }: {
    readonly key: string;
    readonly size: number;
    readonly perSecond: number;
  }): number | undefined {
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: size, at: now };
    const tokens = Math.min(size, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond);
    if (tokens < 1) {
      this.#buckets.set(key, { tokens, at: now });
      return Math.max(1, Math.ceil((1 - tokens) / perSecond));
    }
    this.#buckets.set(key, { tokens: tokens - 1, at: now });
    return undefined;
  }
}
