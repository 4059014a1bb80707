import type { DurableValues } from '../../../activities/memory/memory.ts';
import type { Severity } from '../../../core/alert/severity.ts';

/** An incident that this cell has begun or told something, and that has not come to its own end. */
export interface OpenIncident {
  /** Its alerts, one of each kind, sealed: they hold what commands and attackers wrote. */
  readonly alerts: Uint8Array;
  readonly kinds: readonly string[];
  /** Rules of all that it was told, the first one first; absent where there are more than a list shows. */
  readonly rules?: readonly string[];
  /** The worst of all that it was told. */
  readonly severity: Severity;
  readonly actors: readonly string[];
  readonly requesters: readonly string[];
  /** The first run of its start; absent where another replica of this cell has started it. */
  readonly first?: string;
  /** When this cell started that, milliseconds since 1970. */
  readonly startedAt?: number;
  /** The run in which it was seen last: another one has gone on as new, or was set back. */
  readonly run?: string;
  /** It has taken what this cell has told it, whoever started it. */
  readonly told?: true;
  /** Of a run before, of which no end is known yet: what it was told, and its first run. */
  readonly before?: Pick<OpenIncident, 'alerts' | 'rules'> & { readonly first: string };
  /** When it was begun again, milliseconds since 1970, the newest last. */
  readonly begunAgain: readonly number[];
}

/** What is asked of all of them together: some every few seconds. */
export interface OpenHead extends Pick<OpenIncident, 'rules' | 'severity' | 'first' | 'startedAt' | 'run'> {
  /** How many: it changes when another kind of alert is heard of. */
  readonly kinds: number;
  /** A run before has no known end. */
  readonly hasBefore: boolean;
}

/**
 * Which incidents are open, as the cell keeps it on its disk. What is asked of all of them is held in memory, too: to read ten thousand of them keeps the
 * thread for a quarter of a second, and several ask every few seconds.
 */
export class OpenBook {
  readonly #kept: DurableValues<OpenIncident>;
  readonly #heads: Map<string, OpenHead>;

  constructor(kept: DurableValues<OpenIncident>) {
    this.#kept = kept;
    this.#heads = new Map(
      kept.keys().flatMap((id) => {
        const known = kept.get(id);
        return known ? [[id, headOf(known)] as const] : [];
      }),
    );
  }

  /** Those of now: what is begun or ends meanwhile changes nothing of it. */
  ids(): readonly string[] {
    return [...this.#heads.keys()];
  }

  heads(): Iterable<readonly [id: string, head: OpenHead]> {
    return this.#heads;
  }

  head(id: string): OpenHead | undefined {
    return this.#heads.get(id);
  }

  /** Of which incident that is the run in which it was seen last. */
  idOf(run: string): string | undefined {
    for (const [id, head] of this.#heads) if (head.run === run) return id;
    return undefined;
  }

  /** With its alerts, from the disk. */
  get(id: string): OpenIncident | undefined {
    return this.#heads.has(id) ? this.#kept.get(id) : undefined;
  }

  put(id: string, incident: OpenIncident): void {
    this.#heads.set(id, headOf(incident));
    this.#kept.put(id, incident);
  }

  remove(id: string): void {
    this.#heads.delete(id);
    this.#kept.remove(id);
  }
}

function headOf({ kinds, rules, severity, first, startedAt, run, before }: OpenIncident): OpenHead {
  return {
    kinds: kinds.length,
    severity,
    hasBefore: before !== undefined,
    ...(rules && { rules }),
    ...(first !== undefined && { first }),
    ...(startedAt !== undefined && { startedAt }),
    ...(run !== undefined && { run }),
  };
}
