import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Memory, type MemoryKeeper } from '../../../activities/memory/memory.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { leaseNews } from '../../../core/cards/card-words.ts';
import type { Lease, RefusedContainment } from '../../../core/incident/lease.ts';

const retentionMs = 30 * 86_400_000;
const mostIncidents = 10_000;
const lookEveryMs = 20_000;
/** An incident that nobody has asked for a while is read from its beginning: of more, each every few minutes. */
const mostAsked = 10;

/**
 * Which releases are refused, in whichever pool. Incidents put that on record: the cell hears it as the record is made, and asks them from then on until none
 * is refused any more, since people may have decided otherwise, or another replica may have given it back.
 */
export class RefusedReleases {
  /** By incident. Who was asked last stands last. */
  readonly #refused: Memory<readonly RefusedContainment[]>;

  /** @param keeper after a restart the next refusal may be a quarter of an hour away, and its record hours */
  constructor(keeper?: MemoryKeeper<readonly RefusedContainment[]>) {
    this.#refused = new Memory({ most: mostIncidents, retentionMs, keeper });
  }

  /** An incident of this cell has made it. A task that is done once more makes it once more. */
  heard({ kind, chain, at, body: { lease, next, text } }: Pick<AuditRecord, 'kind' | 'chain' | 'at' | 'body'>): void {
    // What is not tried again is for people to decide: no release waits.
    if (kind !== 'lease.release-refused' || typeof lease !== 'string' || typeof next !== 'string') return;
    const incident = chain.slice(0, Math.max(0, chain.lastIndexOf('@')));
    const known = this.#refused.get(incident) ?? [];
    if (known.some((one) => one.lease === lease)) return;
    this.#refused.set(incident, [...known, { incident, lease, text: String(text), since: at }]);
  }

  /** As their incidents said when they were asked last. */
  all(): readonly RefusedContainment[] {
    return [...this.#refused.entries()].flatMap(([, releases]) => releases);
  }

  /** Asks from time to time, until `signal`. Never rejects. */
  async watch({
    leasesOf,
    signal,
    everyMs = lookEveryMs,
  }: {
    /** None where there is no such incident any more. @throws when it cannot be asked */
    readonly leasesOf: (incident: string) => Promise<readonly Lease[]>;
    readonly signal: AbortSignal;
    readonly everyMs?: number;
  }): Promise<void> {
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      for (const incident of [...this.#refused.entries()].slice(0, mostAsked).map(([id]) => id)) {
        if (signal.aborted) return;
        const before = this.#refused.get(incident) ?? [];
        // What was said last counts until it can be asked.
        const leases = await leasesOf(incident).catch(() => undefined);
        // It was heard of one more meanwhile.
        if (this.#refused.get(incident) !== before) continue;
        this.#refused.set(incident, before);
        if (leases) this.#says(incident, before, leases);
      }
    }
  }

  #says(incident: string, before: readonly RefusedContainment[], leases: readonly Lease[]): void {
    const now = leases.flatMap((lease): readonly RefusedContainment[] => {
      const { id, refused, state } = lease;
      if (!refused || (state !== 'active' && state !== 'releasing')) return [];
      const text = leaseNews.refusedForNow(lease, refused.why, new Date(refused.nextAt).toISOString());
      return [{ incident, lease: id, text, since: new Date(refused.since).toISOString() }];
    });
    if (now.length === 0) this.#refused.delete(incident);
    else if (!isDeepStrictEqual(now, before)) this.#refused.set(incident, now);
  }
}
