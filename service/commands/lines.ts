import type { Writable } from 'node:stream';

/** As much as is worth a write of its own. */
const writeAt = 64 * 1_024;

/**
 * Lines for two streams of which a person may see both in one terminal: in their order, many with one write, and as fast as they are
 * read. What is not awaited would pile up in memory when the reader is slow.
 */
export class Lines {
  readonly #streams: Readonly<Record<'out' | 'error', Writable>>;
  #to: 'out' | 'error' = 'out';
  #waiting: string[] = [];
  #length = 0;

  constructor(streams: Readonly<Record<'out' | 'error', Writable>>) {
    this.#streams = streams;
  }

  /** To be awaited where it gives something to wait for. */
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

/** Who has gone reads no more: nobody waits for that one. */
function readAgain(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}
