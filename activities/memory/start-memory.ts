import { LRUCache } from 'lru-cache';
import type { StartRef } from '../../core/messages/message.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** What is known about a workflow id: the start from which its newest run came, and which run that is. */
interface KnownStart {
  readonly start: string;
  /** When a cell signed it, in milliseconds since 1970. */
  readonly at: number;
  /** The first run of this start. */
  readonly run: string;
  /** Older starts of the same id, newest last. */
  readonly spent: readonly string[];
  /** Later runs that were accepted: it continued as new, or was reset while it was open. Newest last. */
  readonly later?: readonly string[];
  /** It has ended by itself. */
  readonly ended?: true;
}

/**
 * Where a run that is not the first of its start comes from. `ended`: somebody had Temporal reset a workflow that had ended by itself. `unknown`: what it was
 * reset from is gone, so that nobody can tell, or it comes from none of ours.
 */
export type ComesFrom = 'open' | 'ended' | 'unknown';

/** `earlier`: known runs of the same start, its first run first. @throws if Temporal does not answer */
export type OriginLookup = (run: {
  readonly workflow: string;
  readonly run: string;
  readonly earlier: readonly string[];
}) => Promise<ComesFrom>;

const dayMs = 86_400_000;
const retentionMs = 30 * dayMs;
/** Clocks of two cells may differ by this much: a start that is older by no more than this may come from another cell. */
const clocksApartMs = 60_000;
const mostSpent = 20;
const mostRefused = 10_000;
const mostLater = 20;

/**
 * Which start of each workflow is the running one. Anyone who can reach Temporal can resend a start that it keeps, or reset a run that has ended: the result
 * has another run, an older start, or has already ended, and gets nothing done. A start that is not known yet is accepted at its first call. The first run of a
 * start needs no lookup: anything that is reset continues under another run.
 */
export class StartMemory {
  readonly #known: Memory<KnownStart>;
  /** Runs that had a call refused: they must not be told anything. */
  readonly #refused = new LRUCache<string, string>({ max: mostRefused });
  readonly #now: () => number;
  #lookUp: OriginLookup | undefined;

  constructor(options: { readonly keeper?: MemoryKeeper<KnownStart>; readonly now?: () => number } = {}) {
    this.#known = new Memory({ most: 20_000, retentionMs, keeper: options.keeper });
    this.#now = options.now ?? Date.now;
  }

  /** Sets the lookup for where a run comes from, once Temporal is available. Without it, each run of a known start is accepted. */
  asks(lookUp: OriginLookup): void {
    this.#lookUp = lookUp;
  }

  /**
   * Whether a call comes from the run that a cell has started. `run`: the Temporal run that makes the call, by which a reset one is recognised.
   * @throws if Temporal does not say where the run comes from
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
      // A workflow that still runs must not be forgotten.
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

  /** Whether that first run belongs to the newest known start. */
  isKnown(workflow: string, firstRun: string): boolean {
    return this.#known.get(workflow)?.run === firstRun;
  }

  /** Whether an unknown run may come from that start, which a cell has signed: no run has used it, and there was no newer one. */
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

  /** For a run of the newest start. @throws if Temporal does not say */
  async comesFrom(workflow: string, run: string): Promise<ComesFrom> {
    const known = this.#known.get(workflow);
    const later = known?.later ?? [];
    if (!this.#lookUp || run === known?.run || later.includes(run)) return 'open';
    return this.#lookUp({ workflow, run, earlier: known ? [known.run, ...later] : [] });
  }

  /** A cell reports that it has ended by itself: nothing that comes from that start is accepted any more. */
  ended(workflow: string, run: string): void {
    const known = this.#known.get(workflow);
    if (known?.run === run) this.#known.set(workflow, { ...known, ended: true }, this.#now());
  }

  /** Whether this may be the running one, by the first run of its start: also true for one that has not asked for anything yet. */
  mayRun(workflow: string, firstRun: string, run = firstRun): boolean {
    const known = this.#known.get(workflow);
    return this.#refused.get(workflow) !== run && !(known?.run === firstRun && known.ended);
  }

  /** The same, and that it was not reset after it had ended. @throws if Temporal does not say */
  async mayRunOn(workflow: string, firstRun: string, run: string): Promise<boolean> {
    return this.mayRun(workflow, firstRun, run) && (run === firstRun || (await this.comesFrom(workflow, run)) === 'open');
  }
}
