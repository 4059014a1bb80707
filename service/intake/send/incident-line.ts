import { type Severity, severities } from '../../../core/alert/severity.ts';

const mostKinds = 10_000;

/** What the dispatcher remembers of one incident: counts and kinds, never alerts. All of it may be forgotten. */
export class IncidentLine {
  readonly id: string;
  /** One start or signal at a time. */
  busy = false;
  /** Alerts on their way to the disk. */
  writing = 0;
  /** Something new waits: no window for it. */
  urgent = false;
  failures = 0;
  timer: NodeJS.Timeout | undefined;
  /** What was done before its alerts were sent waits for the trace of its incident. */
  readonly ahead: ((traceId: string, under: string) => void)[] = [];
  /** Alerts since the last batch. */
  gathered = 0;
  #waitingSince: number | undefined;
  #open = false;
  #run: string | undefined;
  readonly #known = new Set<string>();
  readonly #waiting = new Set<string>();
  #events = 0;
  #batches = 0;
  /** Places in the spool of the newest alert that waits, by severity; 0 where none does. */
  readonly #newest: number[] = severities.map(() => 0);
  #leftUpTo = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Whether a run of the incident is known to be open. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether the spool may hold alerts of it. */
  get backlog(): boolean {
    return this.#waitingSince !== undefined;
  }

  /** Milliseconds since 1970; no alert of it waits for longer. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** Alerts of it are, or may be, in the spool. @param since when the oldest came, if not now */
  wait(since = Date.now()): void {
    this.#waitingSince ??= since;
  }

  /** An alert of that severity is in the spool. */
  holds(severity: Severity, place: number): void {
    // A batch that was being made may have taken it along.
    if (place > this.#leftUpTo) this.#newest[severities.indexOf(severity)] = place;
  }

  /** Everything up to that place has left the spool. */
  left(upTo: number): void {
    this.#leftUpTo = upTo;
    for (const [at, place] of this.#newest.entries()) if (place <= upTo) this.#newest[at] = 0;
  }

  /** Of the worst alert that waits. */
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

  /** So many that a repetition is only counted. */
  get isStorm(): boolean {
    return this.#events >= 1_000;
  }

  /** True the first time that this run meets such an alert. */
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

  /** The run has ended: for the next one everything is new. */
  ended(): void {
    this.#open = false;
    this.#run = undefined;
    this.#known.clear();
    this.#events = 0;
    this.#batches = 0;
  }

  /**
   * How long repetitions are gathered, in milliseconds. Grows with the events, and with the batches too, so that alerts that
   * drip for days do not fill a history of 4 096 events either (a signal takes four).
   */
  get windowMs(): number {
    if (this.#batches >= 800) return 3_600_000;
    if (this.#batches >= 500) return 300_000;
    if (this.#events >= 10_000 || this.#batches >= 200) return 30_000;
    if (this.#events >= 1_000 || this.#batches >= 100) return 5_000;
    return this.#events >= 100 || this.#batches >= 40 ? 1_000 : 100;
  }
}

/** Whose alerts that wait are worse goes first. */
export function worstFirst(a: IncidentLine, b: IncidentLine): number {
  return severities.indexOf(a.severity) - severities.indexOf(b.severity);
}
