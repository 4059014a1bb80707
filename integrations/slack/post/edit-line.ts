import { setTimeout as sleep } from 'node:timers/promises';

/** A channel accepts about one message a second, and people read no faster. */
const spacingMs = 1_000;

interface Line {
  running: Promise<void>;
  next: Promise<void> | undefined;
  lastAt: number;
}

/**
 * Edits one message, one edit after another and at most one a second. A caller that asks while another edit is waiting shares that edit, and learns when it is
 * done or has failed.
 */
export class EditLine {
  readonly #lines = new Map<string, Line>();

  edit(key: string, work: () => Promise<void>): Promise<void> {
    const line = this.#lines.get(key) ?? { running: Promise.resolve(), next: undefined, lastAt: 0 };
    this.#lines.set(key, line);
    line.next ??= this.#turn(line, work).finally(() => this.#forget(key, line));
    return line.next;
  }

  async #turn(line: Line, work: () => Promise<void>): Promise<void> {
    await line.running.catch(() => undefined);
    const wait = line.lastAt + spacingMs - Date.now();
    if (wait > 0) await sleep(wait);
    line.lastAt = Date.now();
    line.running = line.next ?? Promise.resolve();
    line.next = undefined;
    await work();
  }

  /** Delayed, because the next edit must be a second after this one. */
  #forget(key: string, line: Line): void {
    setTimeout(() => {
      if (line.next === undefined && Date.now() - line.lastAt >= spacingMs) this.#lines.delete(key);
    }, spacingMs).unref();
  }
}
