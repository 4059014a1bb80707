import { IncidentLine } from './incident-line.ts';

const mostLines = 20_000;

/** The lines of all incidents with recent alerts. If there are many, lines with nothing to do are forgotten. */
export class IncidentLines implements Iterable<IncidentLine> {
  readonly #lines = new Map<string, IncidentLine>();

  [Symbol.iterator](): Iterator<IncidentLine> {
    return this.#lines.values();
  }

  of(incident: string): IncidentLine {
    const known = this.#lines.get(incident);
    if (known !== undefined) return known;
    if (this.#lines.size >= mostLines) this.#forgetIdle();
    const line = new IncidentLine(incident);
    this.#lines.set(incident, line);
    return line;
  }

  /** Number of incidents with waiting alerts, and an upper bound for how long the oldest has waited, in seconds. */
  waiting(): { readonly incidents: number; readonly oldestSeconds: number } {
    let incidents = 0;
    let oldest = Date.now();
    for (const { waitingSince } of this) {
      if (waitingSince === undefined) continue;
      incidents += 1;
      oldest = Math.min(oldest, waitingSince);
    }
    return { incidents, oldestSeconds: (Date.now() - oldest) / 1_000 };
  }

  clear(): void {
    for (const line of this) clearTimeout(line.timer);
    this.#lines.clear();
  }

  #forgetIdle(): void {
    for (const [id, line] of this.#lines) {
      if (this.#lines.size < mostLines * 0.9) return;
      if (line.isIdle) this.#lines.delete(id);
    }
  }
}
