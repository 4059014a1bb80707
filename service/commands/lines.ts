import type { Writable } from 'node:stream';

/** Size from which a separate write is worthwhile. */
const writeAt = 64 * 1_024;

/**
 * Writes lines to two streams that a person may see in one terminal: in order, many per write, and no faster than they are read. Without awaiting, lines would
 * pile up in memory if the reader is slow.
 */
export class Lines {
  readonly #streams: Readonly<Record<'out' | 'error', Writable>>;
  #to: 'out' | 'error' = 'out';
  #waiting: string[] = [];
  #length = 0;

  constructor(streams: Readonly<Record<'out' | 'error', Writable>>) {
    this.#streams = streams;
  }

  /** Callers must await the returned promise, if there is one. */
  add(to: 'out' | 'error', line: string): Promise<void> | undefined {
    const before = to === this.#to ? undefined : this.flush();
    this.#to = to;
    this.#waiting.push(line, '\n');
    this.#length += line.length + 1;
    return before ?? (this.#length < writeAt ? undefined : this.flush());
  }

  flush(): Promise<void> | undefined {
    if (this.#length === 0) return undefined;
    const stream = this.#streams[this.#to];
    const text = this.#waiting.join('');
    this.#waiting = [];
    this.#length = 0;
    return stream.write(text) || stream.destroyed ? undefined : readAgain(stream);
  }
}

/** A reader that has gone away reads nothing more, so it is not waited for. */
function readAgain(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
