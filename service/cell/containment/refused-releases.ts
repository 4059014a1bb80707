import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Memory, type MemoryKeeper } from '../../../activities/memory/memory.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { leaseNews } from '../../../core/cards/card-words.ts';
import type { Lease, RefusedContainment } from '../../../core/incident/lease.ts';

const retentionMs = 30 * 86_400_000;
const mostIncidents = 10_000;
const lookEveryMs = 20_000;
/** An incident that was not asked for a while is replayed from its beginning; beyond this number, they take turns every few minutes. */
const mostAsked = 10;

/**
 * Which releases are refused, in any pool. Incidents record refusals: the cell learns of each as the record is made, and from then on asks the incident until
 * none is refused any more, since people may have decided otherwise, or another replica may have released it.
 */
export class RefusedReleases {
  /** By incident, the one asked most recently last. */
  readonly #refused: Memory<readonly RefusedContainment[]>;

  /** @param keeper after a restart the next refusal may be a quarter of an hour away, and its record hours */
  constructor(keeper?: MemoryKeeper<readonly RefusedContainment[]>) {
    this.#refused = new Memory({ most: mostIncidents, retentionMs, keeper });
  }

  /** An incident of this cell has made the record. A repeated task makes it again. */
  heard({ kind, chain, at, body: { lease, next, text } }: Pick<AuditRecord, 'kind' | 'chain' | 'at' | 'body'>): void {
    // If there is no retry, people have to decide: no release is waiting.
    if (kind !== 'lease.release-refused' || typeof lease !== 'string' || typeof next !== 'string') return;
    const incident = chain.slice(0, Math.max(0, chain.lastIndexOf('@')));
    const known = this.#refused.get(incident) ?? [];
    if (known.some((one) => one.lease === lease)) return;
    this.#refused.set(incident, [...known, { incident, lease, text: String(text), since: at }]);
  }

  /** As the incidents said when last asked. */
  all(): readonly RefusedContainment[] {
    return [...this.#refused.entries()].flatMap(([, releases]) => releases);
  }

  /** Asks from time to time, until `signal`. Never rejects. */
  async watch({
    leasesOf,
    signal,
    everyMs = lookEveryMs,
  }: {
    /** Empty if the incident no longer exists. @throws if it cannot be asked */
    readonly leasesOf: (incident: string) => Promise<readonly Lease[]>;
    readonly signal: AbortSignal;
    readonly everyMs?: number;
  }): Promise<void> {
    while (!signal.aborted) {
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      for (const incident of [...this.#refused.entries()].slice(0, mostAsked).map(([id]) => id)) {
        if (signal.aborted) return;
        const before = this.#refused.get(incident) ?? [];
        // The last answer counts until it can be asked again.
        const leases = await leasesOf(incident).catch(() => undefined);
        // Another refusal was reported meanwhile.
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
