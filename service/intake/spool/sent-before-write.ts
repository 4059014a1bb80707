import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { replaceFileSync } from '../../../integrations/replace-file.ts';

const keptDays = 7;
const dayMs = 86_400_000;
const shortenAt = 256 * 1024;

/**
 * Remembers which alerts were sent to Temporal while their write to the spool was underway. A kill -9 at that moment may leave an alert in Temporal that the
 * ledger does not know: if the sender sends it again, it must produce the same batch, which the incident counts once. One line per start, in a file that is not
 * flushed: this survives the death of the process, but not a power loss.
 */
export class SentBeforeWrite {
  readonly #path: string;
  #file: number;
  /** Alert id → the day on which it was noted; the file contains all of them. */
  readonly #open: Map<string, number>;
  readonly #now: () => number;
  #bytes = 0;

  constructor(directory: string, now: () => number = Date.now) {
    ensureFolderSync(directory, 0o700);
    this.#path = join(directory, 'sent-before-write.log');
    this.#now = now;
    this.#open = existsSync(this.#path) ? read(this.#path, this.#today()) : new Map();
    this.#file = this.#rewrite();
  }

  /** Whether an earlier start may have included this alert. */
  has(alertId: string): boolean {
    return this.#open.has(alertId);
  }

  /** Must be called before the alert is sent. */
  note(alertId: string): void {
    const today = this.#today();
    this.#open.set(alertId, today);
    try {
      this.#bytes += writeSync(this.#file, `${today} ${alertId}\n`);
    } catch {
      // The disk is full: Temporal can still accept the alert, and counting it twice is better than losing it.
    }
  }

  /** The alert is now in the ledger. */
  stored(alertId: string): void {
    this.#open.delete(alertId);
    if (this.#bytes > shortenAt && this.#open.size * 64 < this.#bytes) {
      closeSync(this.#file);
      this.#file = this.#rewrite();
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Atomic: a kill in between leaves either the old file or the new one. */
  #rewrite(): number {
    const text = [...this.#open].map(([id, day]) => `${day} ${id}\n`).join('');
    replaceFileSync({ path: this.#path, content: text, flush: false });
    this.#bytes = text.length;
    return openSync(this.#path, 'a', 0o600);
  }

  #today(): number {
    return Math.floor(this.#now() / dayMs);
  }
}

function read(path: string, today: number): Map<string, number> {
  const lines = readFileSync(path, 'utf8').split('\n');
  return new Map(
    lines.flatMap((line) => {
      // The last line may be truncated.
      const [, day, id] = /^(\d{1,6}) ([0-9a-f]{32})$/.exec(line) ?? [];
      return id !== undefined && Number(day) >= today - keptDays ? [[id, Number(day)] as const] : [];
    }),
  );
}
