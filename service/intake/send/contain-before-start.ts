import { ContainmentFirst } from '../../../activities/chokepoint/containment-first.ts';
import { ConcurrencyLimiter } from '../../../activities/concurrency-limiter.ts';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import { traced } from '../../process/telemetry/tracing.ts';
import type { SpoolEntry } from '../spool/entry.ts';
import type { HeadStart, HeadStartResult } from './head-start.ts';

/**
 * Maximum concurrent containments: the API server handles no more per second with a hundred, and each gets the processors to itself for a moment, so that on a
 * busy machine none uses up its own time while waiting for others. Without a bound a hundred pods took ten seconds instead of one (`bench/alert-to-containment.ts`).
 */
export const containmentsAtOnce = 16;
/** Longest delay of a start, in milliseconds: the start is durable, but only the incident asks people. Only an endless storm reaches this limit. */
const longestMs = 120_000;
/** Maximum concurrent starts of incidents whose pod is already contained. */
const startsAtOnce = 4;

export interface ContainBeforeStartOptions {
  readonly headStart?: HeadStart | undefined;
  /** Called for every head start, with the seconds from the acceptance of its alert until it ended. */
  readonly began?: ((result: HeadStartResult, seconds: number) => void) | undefined;
  /** For how long containments may be underway without one finishing before incidents start anyway. Absent: 3 s. */
  readonly stuckMs?: number | undefined;
}

type Entries = readonly Pick<SpoolEntry, 'alert' | 'subject' | 'receivedAt'>[];

/**
 * In a burst, containments run first, the most severe before the others and otherwise in order of arrival. The starts of their incidents follow after all of
 * them, a few at a time, the most severe first. Everything that waits is on disk.
 */
export class ContainBeforeStart {
  readonly #headStart: HeadStart | undefined;
  readonly #began: ContainBeforeStartOptions['began'];
  readonly #first: ContainmentFirst;
  readonly #containments = new ConcurrencyLimiter(containmentsAtOnce);
  readonly #starts = new ConcurrencyLimiter(startsAtOnce);

  constructor({ headStart, began, stuckMs }: ContainBeforeStartOptions) {
    this.#first = new ContainmentFirst({ quietMs: 0, longestMs, stuckMs });
    this.#headStart = headStart;
    this.#began = began;
  }

  /**
   * Plans the immediate containment for these alerts while they are written, and performs it as soon as they are durable.
   *
   * @returns whether there is anything to do: if so, the start that follows is one of those that run a few at a time, see `afterwards`
   */
  before(entries: Entries, durable: Promise<unknown>): boolean {
    const headStart = this.#headStart;
    const wanted = headStart ? entries.filter((entry) => headStart.wants(entry)) : [];
    for (const entry of wanted) {
      const rank = severities.indexOf(entry.alert.severity);
      const contain = (): Promise<void> => this.#contain(entry, durable);
      // A failed attempt is reported, and the incident tries again.
      this.#first.contain(entry.alert.id, () => this.#containments.run(contain, { rank })).catch(() => undefined);
    }
    return wanted.length > 0;
  }

  /**
   * Starts an incident whose containment was begun, when no containment is underway; neither a hanging API server nor an endless burst delays it forever. Other
   * containments may still arrive, and go first.
   */
  afterwards<T>(severity: Severity, start: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const begin = async (): Promise<T> => {
      await this.#first.turn(since);
      return start();
    };
    return this.#starts.run(begin, { rank: severities.indexOf(severity) });
  }

  async #contain(entry: Entries[number], durable: Promise<unknown>): Promise<void> {
    const result = await traced({ name: 'head start' }, async () => this.#headStart?.begin(entry, durable) ?? 'refused');
    this.#began?.(result, Math.max(0, (Date.now() - Date.parse(entry.receivedAt)) / 1_000));
    if (result === 'failed') throw new Error('the containment failed');
  }
}
