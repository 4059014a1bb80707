import type { JudgedAs, Judgement, Judgements, Sender } from '../../core/messages/sender.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** Values in groups that are forgotten together, read from disk and not held in memory. Writes are started in order and not awaited. */
export interface GroupedValues<Value> {
  get(group: string, name: string): Value | undefined;
  put(group: string, name: string, value: Value): void;
  forget(group: string): void;
  /** Forgets each value for which `isOld` is true, a few at a time. Ends with `signal`. Never rejects. */
  sweep(isOld: (value: Value) => boolean, signal: AbortSignal): Promise<void>;
}

type ByRun<Value> = Readonly<Record<string, Value>>;

/** The sender as which a payload counted, by run, and when it was last looked up, in milliseconds since 1970. */
export interface CountedPayload {
  readonly senders: ByRun<Sender>;
  readonly at: number;
}

export type RefusedPayload = ByRun<'nobody' | 'unopenable'>;

const dayMs = 86_400_000;
/** Since the last lookup. Each start of the process looks up everything that is open. */
const retentionMs = 90 * dayMs;
/** Maximum number of runs for one payload that is replayed in run after run; only the first accepts it. */
const mostRuns = 8;
/** Anyone who can reach Temporal can cause any number of refusals. */
const mostRefused = 20_000;

/**
 * How payloads were judged in each run, for as long as the workflow is open. Of those that did not count, only the newest are known. A forgotten payload is
 * judged again, by the keys trusted then.
 */
export class JudgementMemory implements Judgements {
  readonly #counted: GroupedValues<CountedPayload>;
  readonly #refused: Memory<RefusedPayload>;
  readonly #now: () => number;

  constructor(options: {
    readonly counted: GroupedValues<CountedPayload>;
    readonly refused?: MemoryKeeper<RefusedPayload>;
    readonly now?: () => number;
  }) {
    this.#counted = options.counted;
    this.#refused = new Memory({ most: mostRefused, retentionMs, keeper: options.refused });
    this.#now = options.now ?? Date.now;
  }

  of(workflow: string, digest: string): ByRun<JudgedAs> {
    const counted = this.#counted.get(workflow, digest);
    const now = this.#now();
    if (counted && now - counted.at > dayMs) this.#counted.put(workflow, digest, { ...counted, at: now });
    return { ...this.#refused.get(digest), ...counted?.senders };
  }

  found({ workflow, run, digest, judged }: Judgement & { readonly workflow: string }): void {
    const now = this.#now();
    if (judged === 'nobody' || judged === 'unopenable') {
      this.#refused.set(digest, newest({ ...this.#refused.get(digest), [run]: judged }), now);
    } else {
      const { senders } = this.#counted.get(workflow, digest) ?? { senders: {} };
      this.#counted.put(workflow, digest, { senders: newest({ ...senders, [run]: judged }), at: now });
    }
  }

  /** Nothing of this workflow is read again. */
  ended(workflow: string): void {
    this.#counted.forget(workflow);
  }

  /** Forgets workflows that ended without this process hearing of it. */
  sweep(signal: AbortSignal): Promise<void> {
    const now = this.#now();
    return this.#counted.sweep(({ at }) => now - at > retentionMs, signal);
  }
}

function newest<Value>(byRun: ByRun<Value>): ByRun<Value> {
  return Object.fromEntries(Object.entries(byRun).slice(-mostRuns));
}
