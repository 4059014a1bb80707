import type { Database, RootDatabase } from 'lmdb';
import type { IncidentNote } from '../../core/incident.ts';
import type { IncidentGateway } from './incident-gateway.ts';
import type { IntakeLog } from './log.ts';

interface WaitingNote {
  readonly incident: string;
  readonly note: IncidentNote;
}

const mostWaiting = 10_000;
const sentAtOnce = 50;
const retryMs = 2_000;

/**
 * Lines for incidents that are open: on disk until Temporal has them. Where no incident is open there is nothing to say them to: a note
 * starts nothing.
 */
export class Notes {
  readonly #waiting: Database<WaitingNote, number>;
  #gateway: IncidentGateway | undefined;
  #log: IntakeLog | undefined;
  #last = 0;
  #sending = false;
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
    if (place > mostWaiting) await this.#waiting.remove(place - mostWaiting);
    this.#send();
  }

  /** Resolves when nothing of it touches the disk any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#underway;
  }

  #send(): void {
    if (this.#sending || this.#stopped || !this.#gateway) return;
    this.#sending = true;
    this.#underway = this.#sendAll(this.#gateway)
      .catch(() => false)
      .then((all) => {
        this.#sending = false;
        if (all || this.#stopped) return;
        this.#timer = setTimeout(() => this.#send(), retryMs).unref();
      });
  }

  /** False when something is left. */
  async #sendAll(gateway: IncidentGateway): Promise<boolean> {
    while (!this.#stopped) {
      const found = [...this.#waiting.getRange({ limit: sentAtOnce })];
      if (found.length === 0) return true;
      for (const { key, value } of found) {
        if (this.#stopped) return false;
        const result = await gateway.note(value.incident, value.note);
        if (result.kind === 'unavailable' || result.kind === 'limit') return false;
        if (result.kind === 'not-found')
          this.#log?.info({ incident: value.incident, note: value.note.kind }, 'no incident is open for a note');
        await this.#waiting.remove(key);
      }
    }
    return false;
  }
}
