import { LRUCache } from 'lru-cache';
import type { StartRef } from '../../core/messages/message.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** What is known of a workflow id: the start that its newest run came of, and which run that is. */
interface KnownStart {
  readonly start: string;
  /** When a cell signed it, in milliseconds since 1970. */
  readonly at: number;
  /** The first run of it. */
  readonly run: string;
  /** Older starts of the same id, the newest last. */
  readonly spent: readonly string[];
  /** Later runs of it that were found good: it went on as new, or was set back while it was open. The newest last. */
  readonly later?: readonly string[];
  /** It has come to its own end. */
  readonly ended?: true;
}

/**
 * Where a run that is not the first one of its start comes from. `ended`: somebody had Temporal set back what had come to its own end. `unknown`: what it
 * was set back from is gone, so that nobody can say, or it comes of none of ours.
 */
export type ComesFrom = 'open' | 'ended' | 'unknown';

/** `earlier`: runs of the same start that are known, its first run first. @throws when Temporal does not answer */
export type OriginLookup = (run: {
  readonly workflow: string;
  readonly run: string;
  readonly earlier: readonly string[];
}) => Promise<ComesFrom>;

const dayMs = 86_400_000;
const retentionMs = 30 * dayMs;
/** Clocks of two cells may differ by this: a start that is as much older may be of another one. */
const clocksApartMs = 60_000;
const mostSpent = 20;
const mostRefused = 10_000;
const mostLater = 20;

/**
 * Which start of each workflow is the one that runs. A start that Temporal keeps can be sent again by whoever reaches it, or a run that ended be
 * set back: what comes of that has another run, an older start, or an end behind it, and gets nothing done. A start that is not known yet is
 * taken at its first call. Of the first run of a start nobody has to be asked: whatever is set back goes on under another run.
 */
export class StartMemory {
  readonly #known: Memory<KnownStart>;
  /** Runs of which a call was refused: whoever is told something must not be one of them. */
  readonly #refused = new LRUCache<string, string>({ max: mostRefused });
  readonly #now: () => number;
  #lookUp: OriginLookup | undefined;

  constructor(options: { readonly keeper?: MemoryKeeper<KnownStart>; readonly now?: () => number } = {}) {
    this.#known = new Memory({ most: 20_000, retentionMs, keeper: options.keeper });
    this.#now = options.now ?? Date.now;
  }

  /** Who is asked where a run comes from, once there is Temporal. Without it each run of a start that is known is taken. */
  asks(lookUp: OriginLookup): void {
    this.#lookUp = lookUp;
  }

  /**
   * Whether a call comes from the run that a cell has started. `run`: which run of Temporal's the call is of, by which one that was set back is known.
   * @throws when Temporal does not say where the run comes from
   */
  async takes(workflow: string, start: StartRef | undefined, run: string): Promise<boolean> {
    const taken = this.#isTheOne(workflow, start) && (await this.#isOpen(workflow, run));
    if (!taken && start?.firstRun !== undefined) this.#refused.set(workflow, run);
    return taken;
  }

  #isTheOne(workflow: string, start: StartRef | undefined): boolean {
    if (start?.firstRun === undefined) return false;
    const { id, at, firstRun } = start;
    const known = this.#known.get(workflow);
    const now = this.#now();
    if (known?.start === id) {
      // What still runs must not be forgotten.
      if (now - (this.#known.at(workflow) ?? now) > dayMs) this.#known.set(workflow, known, now);
      return known.run === firstRun && known.ended === undefined;
    }
    if (!this.#mayBeNewest(known, { id, at })) return false;
    const spent = known ? [...known.spent, known.start].slice(-mostSpent) : [];
    this.#known.set(workflow, { start: id, at, run: firstRun, spent }, now);
    return true;
  }

  #mayBeNewest(known: KnownStart | undefined, { id, at }: StartRef): boolean {
    return known?.spent.includes(id) !== true && at >= (known?.at ?? this.#now() - retentionMs) - clocksApartMs;
  }

  /** Whether that first run is the one of the newest start that is known. */
  isKnown(workflow: string, firstRun: string): boolean {
    return this.#known.get(workflow)?.run === firstRun;
  }

  /** Whether a run that is not known may come of that start, which a cell has signed: no run has used it, and there was no newer one. */
  mayComeOf(workflow: string, start: StartRef): boolean {
    const known = this.#known.get(workflow);
    return known?.start !== start.id && this.#mayBeNewest(known, start);
  }

  async #isOpen(workflow: string, run: string): Promise<boolean> {
    const from = await this.comesFrom(workflow, run);
    const known = this.#known.get(workflow);
    if (from === 'ended' && known) this.ended(workflow, known.run);
    if (from === 'open' && known && run !== known.run && !known.later?.includes(run))
      this.#known.set(workflow, { ...known, later: [...(known.later ?? []), run].slice(-mostLater) }, this.#now());
    return from === 'open';
  }

  /** Of a run of the start that is the newest. @throws when Temporal does not say */
  async comesFrom(workflow: string, run: string): Promise<ComesFrom> {
    const known = this.#known.get(workflow);
    const later = known?.later ?? [];
    if (!this.#lookUp || run === known?.run || later.includes(run)) return 'open';
    return this.#lookUp({ workflow, run, earlier: known ? [known.run, ...later] : [] });
  }

  /** It has ended by itself, as a cell says: nothing that comes of that start is taken any more. */
  ended(workflow: string, run: string): void {
    const known = this.#known.get(workflow);
    if (known?.run === run) this.#known.set(workflow, { ...known, ended: true }, this.#now());
  }

  /** Whether this may be the run, by the first one of its start: true also for one that has not asked for anything yet. */
  mayRun(workflow: string, firstRun: string, run = firstRun): boolean {
    const known = this.#known.get(workflow);
    return this.#refused.get(workflow) !== run && !(known?.run === firstRun && known.ended);
  }

  /** The same, and that it was not set back when it was over. @throws when Temporal does not say */
  async mayRunOn(workflow: string, firstRun: string, run: string): Promise<boolean> {
    return this.mayRun(workflow, firstRun, run) && (run === firstRun || (await this.comesFrom(workflow, run)) === 'open');
  }
}
