import { setTimeout as sleep } from 'node:timers/promises';
import type { HeadStart, HeadStartResult } from './head-start.ts';
import type { SpoolEntry } from './spool.ts';

/** The longest that a start waits for the containment of its own pod, in milliseconds. */
const ownMs = 250;
/** The longest that it waits for those of others, so that a burst's last pod does not wait for the first one's incident. */
const othersMs = 1_000;

export interface ContainBeforeStartOptions {
  readonly headStart?: HeadStart | undefined;
  /** Told of every head start. */
  readonly began?: ((result: HeadStartResult) => void) | undefined;
}

/** In a burst the containments go first, and the starts of their incidents after them. What waits is on the disk. */
export class ContainBeforeStart {
  readonly #headStart: HeadStart | undefined;
  readonly #began: ContainBeforeStartOptions['began'];
  readonly #calm = new Set<() => void>();
  #underway = 0;

  constructor({ headStart, began }: ContainBeforeStartOptions) {
    this.#headStart = headStart;
    this.#began = began;
  }

  /**
   * Plans what these alerts ask for while they are written, and does it as soon as they are durable. Resolves when that is done and no other is underway, and soon: neither
   * a slow disk nor a slow API server nor an endless burst holds a start back for long. Never rejects.
   */
  async before(
    entries: readonly Pick<SpoolEntry, 'alert' | 'subject' | 'receivedAt'>[],
    durable: Promise<unknown>,
  ): Promise<void> {
    const headStart = this.#headStart;
    const wanted = headStart ? entries.filter((entry) => headStart.wants(entry)) : [];
    if (!headStart || wanted.length === 0) return;
    this.#underway += 1;
    const begun = Promise.all(wanted.map(async (entry) => this.#began?.(await headStart.begin(entry, durable)))).finally(() =>
      this.#end(),
    );
    if (await within(ownMs, begun)) await within(othersMs, this.#calmDown());
  }

  #end(): void {
    this.#underway -= 1;
    if (this.#underway > 0) return;
    for (const go of this.#calm) go();
    this.#calm.clear();
  }

  #calmDown(): Promise<void> {
    return this.#underway === 0 ? Promise.resolve() : new Promise((go) => this.#calm.add(go));
  }
}

/** @returns false when it took longer */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const patience = new AbortController();
  const late = sleep(ms, false, { signal: patience.signal }).catch(() => false);
  const inTime = await Promise.race([work.then(() => true), late]);
  patience.abort();
  return inTime;
}
