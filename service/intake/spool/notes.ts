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
 * When an incident that did not take a line is tried again. One that is not there may be about to begin: its pod is contained before
 * Temporal knows of it, and that may be seen before, too.
 */
const againAfterMs = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000] as const;

interface Tried {
  readonly times: number;
  readonly notBefore: number;
}

/**
 * Lines for incidents that are open: on disk until Temporal has them. Where no incident is open, nor begins soon, there is nothing to say
 * them to: a note starts nothing.
 */
export class Notes {
  readonly #waiting: Database<WaitingNote, number>;
  #gateway: IncidentGateway | undefined;
  #log: IntakeLog | undefined;
  #last = 0;
  /** Lines that their incident did not take, by place. */
  readonly #tried = new Map<number, Tried>();
  /** Up to this place each line is gone, or tried. */
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

  /** From now on they are sent. */
  open(gateway: IncidentGateway, log: IntakeLog): void {
    this.#gateway = gateway;
    this.#log = log;
    this.#send();
  }

  /** Resolves when it is on the disk. */
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

  /** Resolves when nothing of it touches the disk any more. */
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
      // Added between the last look and now.
      if (this.#again) this.#send();
      else if (retryAfterMs !== undefined) this.#timer = setTimeout(() => this.#send(), retryAfterMs).unref();
    });
  }

  /** Until nothing is left that could be sent now. In how many milliseconds something can be tried again: undefined when nothing is left. */
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

  /** Tries what is due again, and each line that is new, once. */
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

  /** False when nobody would take anything now. */
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
 * A full run takes it after it has carried on. Of what is not there, only our own step can be seen before its incident, and what becomes of a
 * pod that is contained before it.
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
