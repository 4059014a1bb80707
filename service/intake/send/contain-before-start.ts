import { type Severity, severities } from '../../../core/alert/severity.ts';
import { traced } from '../../process/telemetry/tracing.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import { ConcurrencyLimiter } from './concurrency-limiter.ts';
import type { HeadStart, HeadStartResult } from './head-start.ts';

/**
 * Maximum concurrent containments: the API server handles no more per second with a hundred, and each gets the processors to itself for a moment, so that on a
 * busy machine none uses up its own time while waiting for others.
 */
export const containmentsAtOnce = 16;
/** If containments are underway and none has finished for this many milliseconds, the API server hangs; incidents then start anyway. */
const usualStuckMs = 3_000;
/** Longest delay of a start, in milliseconds: the start is durable, but only the incident asks people. Only an endless storm reaches this limit. */
const longestMs = 120_000;
const tickMs = 50;
/** Maximum concurrent starts of incidents whose pod is already contained. */
const startsAtOnce = 4;

export interface ContainBeforeStartOptions {
  readonly headStart?: HeadStart | undefined;
  /** Called for every head start, with the seconds from the acceptance of its alert until it ended. */
  readonly began?: ((result: HeadStartResult, seconds: number) => void) | undefined;
  /** For how long containments may be underway without one finishing before incidents start anyway. */
  readonly stuckMs?: number | undefined;
}

type Entries = readonly Pick<SpoolEntry, 'alert' | 'subject' | 'receivedAt'>[];

interface Waiting {
  readonly since: number;
  readonly go: () => void;
}

/**
 * In a burst, containments run first, the most severe before the others and otherwise in order of arrival. The starts of their incidents follow after all of
 * them, a few at a time, the most severe first. Everything that waits is on disk.
 */
export class ContainBeforeStart {
  readonly #headStart: HeadStart | undefined;
  readonly #began: ContainBeforeStartOptions['began'];
  readonly #stuckMs: number;
  readonly #containments = new ConcurrencyLimiter(containmentsAtOnce);
  readonly #starts = new ConcurrencyLimiter(startsAtOnce);
  readonly #waiting = new Set<Waiting>();
  #underway = 0;
  #progressAt = 0;
  #ticking: NodeJS.Timeout | undefined;

  constructor({ headStart, began, stuckMs = usualStuckMs }: ContainBeforeStartOptions) {
    this.#headStart = headStart;
    this.#began = began;
    this.#stuckMs = stuckMs;
  }

  /**
   * Plans the immediate containment for these alerts while they are written, and performs it as soon as they are durable. Resolves when it is done and no other
   * containment is underway; neither a hanging API server nor an endless burst delays a start forever. Never rejects.
   *
   * @returns whether there was anything to do: if so, the start that follows is one of those that run a few at a time, see `afterwards`
   */
  async before(entries: Entries, durable: Promise<unknown>): Promise<boolean> {
    const headStart = this.#headStart;
    const wanted = headStart ? entries.filter((entry) => headStart.wants(entry)) : [];
    if (!headStart || wanted.length === 0) return false;
    if (this.#underway === 0) this.#progressAt = performance.now();
    this.#underway += 1;
    const contain = async (entry: Entries[number]): Promise<void> => {
      const result = await traced({ name: 'head start' }, () => headStart.begin(entry, durable));
      if (result !== 'failed') this.#progressAt = performance.now();
      this.#began?.(result, Math.max(0, (Date.now() - Date.parse(entry.receivedAt)) / 1_000));
    };
    const begun = wanted.map((entry) =>
      this.#containments.run(() => contain(entry), { rank: severities.indexOf(entry.alert.severity) }),
    );
    void Promise.allSettled(begun).then(() => this.#end());
    await this.#calm();
    return true;
  }

  /** Starts an incident whose containment is done. Other containments may still arrive, and go first. */
  async afterwards<T>(severity: Severity, start: () => Promise<T>): Promise<T> {
    return this.#starts.run(
      async () => {
        await this.#calm();
        return start();
      },
      { rank: severities.indexOf(severity) },
    );
  }

  #end(): void {
    this.#underway -= 1;
    if (this.#underway === 0) this.#release(() => true);
  }

  /** Resolves when no containment is underway, all of them hang, or the wait has taken too long. */
  #calm(): Promise<void> {
    if (this.#underway === 0) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.add({ since: performance.now(), go });
      this.#ticking ??= setInterval(() => this.#tick(), tickMs).unref();
    });
  }

  #tick(): void {
    const now = performance.now();
    const isStuck = now - this.#progressAt > this.#stuckMs;
    this.#release(({ since }) => isStuck || now - since > longestMs);
  }

  #release(may: (waiting: Waiting) => boolean): void {
    for (const waiting of this.#waiting) {
      if (!may(waiting)) continue;
      this.#waiting.delete(waiting);
      waiting.go();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }
}
