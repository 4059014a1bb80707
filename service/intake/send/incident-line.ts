import { type Severity, severities } from '../../../core/alert/severity.ts';

const mostKinds = 10_000;

/** What the dispatcher remembers of one incident: counts and kinds, never alerts. All of it may be forgotten. */
export class IncidentLine {
  readonly id: string;
  /** Whether a start or signal is underway; only one at a time. */
  busy = false;
  /** Number of alerts being written to disk. */
  writing = 0;
  /** Whether something new waits, which is sent without waiting for a window. */
  urgent = false;
  failures = 0;
  timer: NodeJS.Timeout | undefined;
  /** Callbacks that add work done before the alerts were sent to the incident's trace. */
  readonly ahead: ((traceId: string, under: string) => void)[] = [];
  /** Number of alerts since the last batch. */
  gathered = 0;
  #waitingSince: number | undefined;
  #open = false;
  #run: string | undefined;
  readonly #known = new Set<string>();
  readonly #waiting = new Set<string>();
  #events = 0;
  #batches = 0;
  /** Place in the spool of the newest waiting alert, by severity; 0 if there is none. */
  readonly #newest: number[] = severities.map(() => 0);
  #leftUpTo = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Whether a run of the incident is known to be open. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether the spool may hold alerts of this incident. */
  get backlog(): boolean {
    return this.#waitingSince !== undefined;
  }

  /** Milliseconds since 1970; no alert of the incident has waited for longer. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** Marks that alerts of the incident are, or may be, in the spool. @param since when the oldest arrived, if not now */
  wait(since = Date.now()): void {
    this.#waitingSince ??= since;
  }

  /** Records that an alert of this severity is in the spool. */
  holds(severity: Severity, place: number): void {
    // A batch that was being built may already have included it.
    if (place > this.#leftUpTo) this.#newest[severities.indexOf(severity)] = place;
  }

  /** Records that everything up to this place has left the spool. */
  left(upTo: number): void {
    this.#leftUpTo = upTo;
    for (const [at, place] of this.#newest.entries()) if (place <= upTo) this.#newest[at] = 0;
  }

  /** The severity of the most severe waiting alert. */
  get severity(): Severity {
    return severities[this.#newest.findIndex((place) => place > 0)] ?? 'unknown';
  }

  nothingWaits(): void {
    this.#waitingSince = undefined;
  }

  get run(): string | undefined {
    return this.#run;
  }

  /** Kinds of alerts that the open run has seen. */
  get known(): ReadonlySet<string> {
    return this.#known;
  }

  get isIdle(): boolean {
    return !this.busy && !this.backlog && this.writing === 0;
  }

  /** Whether there are so many alerts that repetitions are only counted. */
  get isStorm(): boolean {
    return this.#events >= 1_000;
  }

  /** Returns true the first time this run sees such an alert. */
  meets(kind: string): boolean {
    this.#events += 1;
    if (this.#known.has(kind) || this.#waiting.has(kind)) return false;
    if (this.#waiting.size < mostKinds) this.#waiting.add(kind);
    return true;
  }

  opened(run: string | undefined): void {
    this.#open = true;
    if (run !== undefined) this.#run = run;
  }

  delivered(kinds: readonly string[]): void {
    this.#batches += 1;
    this.failures = 0;
    for (const kind of kinds) {
      this.#waiting.delete(kind);
      if (this.#known.size < mostKinds) this.#known.add(kind);
    }
  }

  /** The run has ended: everything is new to the next one. */
  ended(): void {
    this.#open = false;
    this.#run = undefined;
    this.#known.clear();
    this.#events = 0;
    this.#batches = 0;
  }

  /**
   * How long repetitions are gathered, in milliseconds. Grows with the events and with the batches, so that alerts that trickle in for days do not fill a
   * history of 4 096 events either (a signal takes four).
   */
  get windowMs(): number {
    if (this.#batches >= 800) return 3_600_000;
    if (this.#batches >= 500) return 300_000;
    if (this.#events >= 10_000 || this.#batches >= 200) return 30_000;
    if (this.#events >= 1_000 || this.#batches >= 100) return 5_000;
    return this.#events >= 100 || this.#batches >= 40 ? 1_000 : 100;
  }
}

/** Sorts the incident with the more severe waiting alerts first. */
export function worstFirst(a: IncidentLine, b: IncidentLine): number {
  return severities.indexOf(a.severity) - severities.indexOf(b.severity);
}
