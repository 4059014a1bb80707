import type { Database, RootDatabase } from 'lmdb';
import type { IncidentNote } from '../../../core/incident/incident.ts';
import type { IntakeLog } from '../log.ts';
import type { IncidentGateway } from '../send/incident-gateway.ts';

interface WaitingNote {
  readonly incident: string;
  readonly note: IncidentNote;
}

const mostWaiting = 10_000;
const sentAtOnce = 50;
const retryMs = 2_000;
/**
 * Delays before a note that its incident did not accept is tried again. A missing incident may be about to begin: its pod is contained before Temporal knows of
 * it, and the containment may be seen before that, too.
 */
const againAfterMs = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000] as const;

interface Tried {
  readonly times: number;
  readonly notBefore: number;
}

/** Notes for open incidents: on disk until Temporal has them. If no incident is open or begins soon, the note is dropped: a note starts nothing. */
export class Notes {
  readonly #waiting: Database<WaitingNote, number>;
  #gateway: IncidentGateway | undefined;
  #log: IntakeLog | undefined;
  #last = 0;
  /** Notes that their incident did not accept, by place. */
  readonly #tried = new Map<number, Tried>();
  /** Every note up to this place is gone, or was tried. */
  #reached = 0;
  #sending = false;
  #again = false;
  #underway: Promise<void> = Promise.resolve();
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(root: RootDatabase) {
    this.#waiting = root.openDB({ name: 'notes' });
    for (const key of this.#waiting.getKeys({ reverse: true, limit: 1 })) this.#last = key;
  }

  /** Starts sending. */
  open(gateway: IncidentGateway, log: IntakeLog): void {
    this.#gateway = gateway;
    this.#log = log;
    this.#send();
  }

  /** Resolves when the note is on disk. */
  async add(incident: string, note: IncidentNote): Promise<void> {
    this.#last += 1;
    const place = this.#last;
    await this.#waiting.put(place, { incident, note });
    if (place > mostWaiting) {
      await this.#waiting.remove(place - mostWaiting);
      this.#tried.delete(place - mostWaiting);
    }
    this.#send();
  }

  /** Resolves when it no longer touches the disk. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#underway;
  }

  #send(): void {
    if (this.#stopped || !this.#gateway) return;
    this.#again = true;
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timer);
    this.#underway = this.#sendAll(this.#gateway).then((retryAfterMs) => {
      this.#sending = false;
      if (this.#stopped) return;
      // A note was added since the last look.
      if (this.#again) this.#send();
      else if (retryAfterMs !== undefined) this.#timer = setTimeout(() => this.#send(), retryAfterMs).unref();
    });
  }

  /** Sends until nothing is left that can be sent now. Returns the milliseconds until something can be retried; undefined if nothing is left. */
  async #sendAll(gateway: IncidentGateway): Promise<number | undefined> {
    let retryAfterMs: number | undefined;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        retryAfterMs = await this.#pass(gateway);
      } catch {
        retryAfterMs = retryMs;
      }
    }
    return retryAfterMs;
  }

  /** Retries what is due, and tries each new note once. */
  async #pass(gateway: IncidentGateway): Promise<number | undefined> {
    for (const [key, { notBefore }] of this.#tried) {
      if (notBefore > Date.now()) continue;
      if (!(await this.#try(gateway, key, this.#waiting.get(key)))) return retryMs;
    }
    for (;;) {
      const found = [...this.#waiting.getRange({ start: this.#reached + 1, limit: sentAtOnce })];
      if (found.length === 0) break;
      for (const { key, value } of found) {
        if (!(await this.#try(gateway, key, value))) return retryMs;
        this.#reached = key;
      }
    }
    const soonest = Math.min(...[...this.#tried.values()].map(({ notBefore }) => notBefore));
    return Number.isFinite(soonest) ? Math.max(0, soonest - Date.now()) : undefined;
  }

  /** Returns false if nothing can be delivered now. */
  async #try(gateway: IncidentGateway, key: number, waiting: WaitingNote | undefined): Promise<boolean> {
    if (this.#stopped) return false;
    if (waiting === undefined) {
      this.#tried.delete(key);
      return true;
    }
    const { incident, note } = waiting;
    const { kind } = await gateway.note(incident, note);
    if (kind === 'unavailable') return false;
    const again = againAfter({ kind, note, times: this.#tried.get(key)?.times ?? 0 });
    if (again !== undefined) {
      this.#tried.set(key, again);
      return true;
    }
    if (kind === 'not-found') this.#log?.info({ incident, note: note.kind }, 'no incident is open for a note');
    this.#tried.delete(key);
    await this.#waiting.remove(key);
    return true;
  }
}

/**
 * A full run accepts the note after it has continued as new. If the incident does not exist, only notes about our own steps, and about a pod that is contained
 * early, can precede it.
 */
function againAfter({
  kind,
  note,
  times,
}: {
  readonly kind: string;
  readonly note: IncidentNote;
  readonly times: number;
}): Tried | undefined {
  const isFull = kind === 'limit';
  if (!isFull && !(kind === 'not-found' && (note.kind === 'step.seen' || note.kind.startsWith('containment.')))) return undefined;
  const waitMs = againAfterMs[times] ?? (isFull ? againAfterMs.at(-1) : undefined);
  return waitMs === undefined ? undefined : { times: times + 1, notBefore: Date.now() + waitMs };
}
