import { checkChain } from '../../core/audit/audit-check.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Trust } from '../../core/messages/sender.ts';

/** After a reset in Temporal the incident goes on at once; the cell puts the reset on record at one of its next looks. */
const usualWaitMs = 5 * 60_000;
const mostReported = 10_000;

interface Parts {
  readonly store: Pick<AuditStore, 'storedChain'>;
  readonly trust: Trust;
  readonly report: (finding: Finding) => void;
  /** Called with what a reset explains, in words. */
  readonly note: (text: string) => void;
  /** Called when the chain could not be read: it is tried again later. */
  readonly failed: (error: unknown) => void;
  readonly waitMs?: number;
}

/**
 * Judges numbers that came twice, some minutes later and as `audit verify` does. A reset gives numbers twice before the cell has put it on record, so at first
 * nobody can tell it from a fault. Only what no signed record of a reset explains is reported, once.
 */
export class DoubledRecords {
  readonly #parts: Parts;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #reported = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @param chain in which a number has come twice */
  cameTwice(chain: string): void {
    if (this.#waiting.has(chain)) return;
    const timer = setTimeout(() => void this.#judge(chain), this.#parts.waitMs ?? usualWaitMs);
    this.#waiting.set(chain, timer.unref());
  }

  stop(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  async #judge(chain: string): Promise<void> {
    const { store, trust, report, note, failed } = this.#parts;
    this.#waiting.delete(chain);
    try {
      const { findings, notes } = checkChain({ chain, stored: await store.storedChain(chain), stated: [], trust });
      for (const finding of findings) {
        const place = `${chain} ${finding.number}`;
        if (finding.kind !== 'record-doubled' || this.#reported.has(place)) continue;
        if (this.#reported.size >= mostReported) this.#reported.clear();
        this.#reported.add(place);
        report(finding);
      }
      for (const text of notes) note(text);
    } catch (error) {
      failed(error);
      this.cameTwice(chain);
    }
  }
}
