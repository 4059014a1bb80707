import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { codeOf, FirebreakError } from '../../../core/errors.ts';
import type { Unanswered, UnansweredStore } from '../../../core/incident/unanswered.ts';
import type { Permalinks } from '../post/permalinks.ts';
import type { EphemeralAnswer } from './arrived.ts';

/** Longer than a working desk takes to answer; before that, another desk may be about to. */
const abandonedAfterMs = 15_000;
const lookEveryMs = 5_000;
/** After that, nobody waits for the answer any more. */
const forgottenAfterMs = 3_600_000;
/** A slower database must not keep Slack waiting for its own answer. */
const saveWithinMs = 300;

interface UnansweredParts {
  readonly store: UnansweredStore;
  readonly permalinks: Permalinks;
  readonly tell: (told: EphemeralAnswer) => Promise<void>;
  readonly log: (message: string, facts: Readonly<Record<string, string>>) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export type Whom = Omit<Unanswered, 'id' | 'at'>;

const click = z.object({
  user: z.object({ id: z.string() }),
  container: z.object({ channel_id: z.string(), message_ts: z.string() }),
});
const shortcut = z.object({ user: z.object({ id: z.string() }), channel: z.object({ id: z.string() }) });
const typed = z.object({ user_id: z.string(), channel_id: z.string(), command: z.string() });

/** Returns whom to tell; undefined if Slack does not say so in the request itself. */
export function whomOf(body: unknown): Whom | undefined {
  const [clicked, ordered, asked] = [click.safeParse(body), typed.safeParse(body), shortcut.safeParse(body)];
  if (clicked.success) {
    const { user, container } = clicked.data;
    return { slackUser: user.id, channel: container.channel_id, messageTs: container.message_ts };
  }
  if (ordered.success) {
    const { user_id: slackUser, channel_id: channel, command } = ordered.data;
    return { slackUser, channel, command: command.slice(0, 40) };
  }
  return asked.success ? { slackUser: asked.data.user.id, channel: asked.data.channel.id } : undefined;
}

/**
 * Remembers each request that was acknowledged to Slack until its sender has an answer. If the desk dies in between, the next one tells the sender; otherwise
 * the click would be lost silently. The request itself is not repeated: only Slack's signature, which is not stored, proves that the sender wanted it.
 */
export class UnansweredRequests {
  readonly #parts: UnansweredParts;
  /** The requests of this desk. */
  readonly #own = new Map<string, 'open' | 'answered'>();
  #looking: NodeJS.Timeout | undefined;

  constructor(parts: UnansweredParts) {
    this.#parts = parts;
  }

  /** Call this before the request is acknowledged to Slack. Call the returned function when the answer is out. */
  async begin(whom: Whom | undefined): Promise<() => Promise<void>> {
    if (!whom) return async () => undefined;
    const { store, log, now } = this.#parts;
    const one: Unanswered = { id: randomUUID(), at: now(), ...whom };
    this.#own.set(one.id, 'open');
    const saved = store.saveUnanswered(one).catch((error: unknown) => log('click not remembered', { error: codeOf(error) }));
    await Promise.race([saved, sleep(saveWithinMs, undefined, { ref: false })]);
    return async () => {
      this.#own.set(one.id, 'answered');
      await saved;
      await store.forgetUnanswered(one.id).then(
        () => this.#own.delete(one.id),
        (error: unknown) => log('click not forgotten', { error: codeOf(error) }),
      );
    };
  }

  start(): void {
    const look = async (): Promise<void> => {
      await this.#look().catch((error: unknown) => this.#parts.log('unanswered clicks not looked for', { error: codeOf(error) }));
      if (this.#looking) this.#looking = setTimeout(look, lookEveryMs).unref();
    };
    this.#looking = setTimeout(look, 0).unref();
  }

  stop(): void {
    clearTimeout(this.#looking);
    this.#looking = undefined;
  }

  async #look(): Promise<void> {
    const { store, log, now } = this.#parts;
    for (const one of await store.takeUnanswered(now() - abandonedAfterMs)) {
      const state = this.#own.get(one.id);
      if (state === 'answered') this.#own.delete(one.id);
      else if (state === 'open') await this.#putBack(one);
      else if (now() - one.at < forgottenAfterMs)
        await this.#tell(one).catch(async (error: unknown) => {
          log('nobody was told about a click that a restart cut short', { error: codeOf(error) });
          if (!(error instanceof FirebreakError) || error.retryable) await store.saveUnanswered(one);
        });
    }
  }

  /** Puts the request back, unless it was answered meanwhile. */
  async #putBack(one: Unanswered): Promise<void> {
    const { store } = this.#parts;
    await store.saveUnanswered(one);
    if (this.#own.get(one.id) !== 'open') await store.forgetUnanswered(one.id);
  }

  async #tell({ channel, slackUser: user, messageTs, command }: Unanswered): Promise<void> {
    const { permalinks, tell } = this.#parts;
    const link = messageTs === undefined ? undefined : await permalinks.of({ channel, ts: messageTs });
    await tell({ channel, user, text: cutShort(command), ...(link !== undefined && { link, goesOn: 'The card' }) });
  }
}

function cutShort(command: string | undefined): string {
  return command === undefined
    ? 'Firebreak was restarted as you answered, and your answer may not have arrived. Look at the card, and click again if it does not show it: you count once.'
    : `Firebreak was restarted as you typed ${command}, and may not have done it. \`/firebreak incidents\` shows how things stand; type it again if it was not done.`;
}
