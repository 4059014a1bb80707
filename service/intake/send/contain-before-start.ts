import { type Severity, severities } from '../../../core/alert/severity.ts';
import { traced } from '../../process/telemetry/tracing.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import { ConcurrencyLimiter } from './concurrency-limiter.ts';
import type { HeadStart, HeadStartResult } from './head-start.ts';

/**
 * Containments at once: the API server takes no more in a second from a hundred, and each has the processors to itself for a moment, so that
 * on a busy machine none runs out of its own time while it waits for others.
 */
const containmentsAtOnce = 16;
/** No containment has come about for so long though some are underway, in milliseconds: the API server hangs, and incidents start all the same. */
const stuckMs = 3_000;
/** The longest that a start waits, in milliseconds: it is durable, but people are asked by the incident. Only an endless storm comes to that. */
const longestMs = 120_000;
const tickMs = 50;
/** Starts at once of incidents whose pod is contained already. */
const startsAtOnce = 4;

export interface ContainBeforeStartOptions {
  readonly headStart?: HeadStart | undefined;
  /** Told of every head start, and how long after its alert was taken it was over. */
  readonly began?: ((result: HeadStartResult, seconds: number) => void) | undefined;
}

type Entries = readonly Pick<SpoolEntry, 'alert' | 'subject' | 'receivedAt'>[];

interface Waiting {
  readonly since: number;
  readonly go: () => void;
}

/**
 * In a burst the containments go first, the worst before the others and else in the order of their coming, and the starts of their incidents after
 * all of them, a few at a time, the worst first. What waits is on the disk.
 */
export class ContainBeforeStart {
  readonly #headStart: HeadStart | undefined;
  readonly #began: ContainBeforeStartOptions['began'];
  readonly #containments = new ConcurrencyLimiter(containmentsAtOnce);
  readonly #starts = new ConcurrencyLimiter(startsAtOnce);
  readonly #waiting = new Set<Waiting>();
  #underway = 0;
  #progressAt = 0;
  #ticking: NodeJS.Timeout | undefined;

  constructor({ headStart, began }: ContainBeforeStartOptions) {
    this.#headStart = headStart;
    this.#began = began;
  }

  /**
   * Plans what these alerts ask for while they are written, and does it as soon as they are durable. Resolves when that is done and no other is underway;
   * neither an API server that hangs nor an endless burst holds a start back for good. Never rejects.
   *
   * @returns whether there was anything to do: then the start that follows is one of those that go a few at a time, see `afterwards`
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

  /** The start of an incident whose containment is done: others may still come, and go before it. */
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

  /** No containment is underway, or all that are hang, or it has been waited for too long. */
  #calm(): Promise<void> {
    if (this.#underway === 0) return Promise.resolve();
    return new Promise((go) => {
      this.#waiting.add({ since: performance.now(), go });
      this.#ticking ??= setInterval(() => this.#tick(), tickMs).unref();
    });
  }

  #tick(): void {
    const now = performance.now();
    const isStuck = now - this.#progressAt > stuckMs;
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
