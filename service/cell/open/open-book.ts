import type { DurableValues } from '../../../activities/memory/memory.ts';
import type { Severity } from '../../../core/alert/severity.ts';

/** An incident that this cell has begun or told something, and that has not ended by itself. */
export interface OpenIncident {
  /** Its alerts, one of each kind, sealed: they contain text from commands and attackers. */
  readonly alerts: Uint8Array;
  readonly kinds: readonly string[];
  /** Rules of all alerts that it was told, the first one first; absent if there are more than a list shows. */
  readonly rules?: readonly string[];
  /** Highest severity of all alerts that it was told. */
  readonly severity: Severity;
  readonly actors: readonly string[];
  readonly requesters: readonly string[];
  /** The first run of its start; absent if another replica of this cell has started it. */
  readonly first?: string;
  /** When this cell started that run, milliseconds since 1970. */
  readonly startedAt?: number;
  /** The run in which it was last seen: a different one means that it continued as new, or was reset. */
  readonly run?: string;
  /** It has accepted what this cell has told it, whoever started it. */
  readonly told?: true;
  /** The previous run, if its end is not known yet: what it was told, and its first run. */
  readonly before?: Pick<OpenIncident, 'alerts' | 'rules'> & { readonly first: string };
  /** When it was begun again, milliseconds since 1970, the newest last. */
  readonly begunAgain: readonly number[];
}

/** The data that is read for all incidents together, some of it every few seconds. */
export interface OpenHead extends Pick<OpenIncident, 'rules' | 'severity' | 'first' | 'startedAt' | 'run'> {
  /** Number of kinds: it changes when another kind of alert arrives. */
  readonly kinds: number;
  /** Whether a previous run has no known end. */
  readonly hasBefore: boolean;
}

/**
 * The open incidents, as the cell stores them on disk. Data that is read for all of them is also held in memory: reading ten thousand from disk blocks the
 * thread for a quarter of a second, and there are several readers every few seconds.
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

  /** A snapshot: incidents that begin or end meanwhile do not change it. */
  ids(): readonly string[] {
    return [...this.#heads.keys()];
  }

  heads(): Iterable<readonly [id: string, head: OpenHead]> {
    return this.#heads;
  }

  head(id: string): OpenHead | undefined {
    return this.#heads.get(id);
  }

  /** Returns the incident that was last seen in this run. */
  idOf(run: string): string | undefined {
    for (const [id, head] of this.#heads) if (head.run === run) return id;
    return undefined;
  }

  /** Returns the incident with its alerts, from disk. */
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
