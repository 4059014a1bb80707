import { LRUCache } from 'lru-cache';
import type { StartRef } from '../../core/messages/message.ts';
import { Memory, type MemoryKeeper } from './memory.ts';

/** What is known of a workflow id: the start that its newest run came of, and which run that is. */
export interface KnownStart {
  readonly start: string;
  /** When a cell signed it, in milliseconds since 1970. */
  readonly at: number;
  /** The first run of it. */
  readonly run: string;
  /** Older starts of the same id, the newest last. */
  readonly spent: readonly string[];
  /** It has come to its own end. */
  readonly ended?: true;
}

const dayMs = 86_400_000;
const retentionMs = 30 * dayMs;
/** Clocks of two cells may differ by this: a start that is as much older may be of another one. */
const clocksApartMs = 60_000;
const mostSpent = 20;
const mostRefused = 10_000;

/**
 * Which start of each workflow is the one that runs. A start that Temporal keeps can be sent again by whoever reaches it, or a run that ended be
 * set back: what comes of that has another run, an older start, or an end behind it, and gets nothing done. A start that is not known yet is
 * taken at its first call.
 */
export class StartMemory {
  readonly #known: Memory<KnownStart>;
  /** Runs of which a call was refused: whoever is told something must not be one of them. */
  readonly #refused = new LRUCache<string, string>({ max: mostRefused });
  readonly #now: () => number;

  constructor(options: { readonly keeper?: MemoryKeeper<KnownStart>; readonly now?: () => number } = {}) {
    this.#known = new Memory({ most: 20_000, retentionMs, keeper: options.keeper });
    this.#now = options.now ?? Date.now;
  }

  /** Whether a call comes from the run that a cell has started. */
  takes(workflow: string, start: StartRef | undefined): boolean {
    const taken = this.#isTheOne(workflow, start);
    if (!taken && start?.firstRun !== undefined) this.#refused.set(workflow, start.firstRun);
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
    if (known?.spent.includes(id) || at < (known?.at ?? now - retentionMs) - clocksApartMs) return false;
    const spent = known ? [...known.spent, known.start].slice(-mostSpent) : [];
    this.#known.set(workflow, { start: id, at, run: firstRun, spent }, now);
    return true;
  }

  /** It has ended by itself, as a cell says: nothing that comes of that start is taken any more. */
  ended(workflow: string, run: string): void {
    const known = this.#known.get(workflow);
    if (known?.run === run) this.#known.set(workflow, { ...known, ended: true }, this.#now());
  }

  /** Whether this may be the run: true also for one that has not asked for anything yet. */
  mayRun(workflow: string, run: string): boolean {
    const known = this.#known.get(workflow);
    return this.#refused.get(workflow) !== run && !(known?.run === run && known.ended);
  }
}
