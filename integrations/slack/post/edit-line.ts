import { type Pace, realPace } from './pace.ts';

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
  readonly #pace: Pace;

  constructor(pace: Pace = realPace) {
    this.#pace = pace;
  }

  edit(key: string, work: () => Promise<void>): Promise<void> {
    const line = this.#lines.get(key) ?? { running: Promise.resolve(), next: undefined, lastAt: 0 };
    this.#lines.set(key, line);
    line.next ??= this.#turn(line, work).finally(() => this.#forget(key, line));
    return line.next;
  }

  async #turn(line: Line, work: () => Promise<void>): Promise<void> {
    await line.running.catch(() => undefined);
    const wait = line.lastAt + spacingMs - this.#pace.now();
    if (wait > 0) await new Promise<void>((resolve) => void this.#pace.later(resolve, wait));
    line.lastAt = this.#pace.now();
    line.running = line.next ?? Promise.resolve();
    line.next = undefined;
    await work();
  }

  /** Delayed, because the next edit must be a second after this one. */
  #forget(key: string, line: Line): void {
    const forget = (): void => {
      if (line.next === undefined && this.#pace.now() - line.lastAt >= spacingMs) this.#lines.delete(key);
    };
    this.#pace.later(forget, spacingMs).unref();
  }
}
