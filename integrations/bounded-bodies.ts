import type { IncomingMessage } from 'node:http';
import { GatheredBody } from './gathered-body.ts';

export type BoundedBody =
  | { readonly ok: true; readonly bytes: Buffer }
  /** Too large. */
  | { readonly ok: false; readonly status: 413 }
  /** Cut off, too slow, or evicted to make room for others. */
  | { readonly ok: false; readonly status: 400; readonly code: 'cut' };

/**
 * Reads bodies of one sender, or of all senders that only the whole body identifies, because its signature covers all of it. Each body is bounded in size and
 * time, and all together in memory; when that is full, the one that has been arriving longest is dropped. A slow sender keeps nobody else out.
 */
export class BoundedBodies {
  readonly #atMost: number;
  readonly #inAll: number;
  readonly #withinMs: number | undefined;
  /** Callbacks that end each body and release its memory, the oldest first. */
  readonly #reading = new Set<() => void>();
  #bytes = 0;

  /** @param options in bytes, except for the time; without a time a body may take as long as the server allows a request */
  constructor(options: { readonly atMost: number; readonly inAll: number; readonly withinMs?: number }) {
    this.#atMost = options.atMost;
    this.#inAll = options.inAll;
    this.#withinMs = options.withinMs;
  }

  read(request: IncomingMessage): Promise<BoundedBody> {
    if (Number(request.headers['content-length']) > this.#atMost) return Promise.resolve({ ok: false, status: 413 });
    return new Promise((resolve) => {
      const gathered = new GatheredBody();
      const end = (body: BoundedBody): void => {
        clearTimeout(late);
        if (!this.#reading.delete(giveUp)) return;
        this.#bytes -= gathered.length;
        request.off('data', take).off('end', whole).off('error', cut).off('close', cut);
        resolve(body);
      };
      const cut = (): void => end({ ok: false, status: 400, code: 'cut' });
      const whole = (): void => end({ ok: true, bytes: gathered.whole() });
      const giveUp = (): void => {
        cut();
        // A client that does not send does not read an answer either.
        request.destroy();
      };
      const late = this.#withinMs === undefined ? undefined : setTimeout(giveUp, this.#withinMs);
      const take = (part: Buffer): void => {
        gathered.add(part);
        this.#bytes += part.length;
        if (gathered.length > this.#atMost) {
          end({ ok: false, status: 413 });
          return;
        }
        while (this.#bytes > this.#inAll) {
          const [oldest] = this.#reading;
          if (oldest === undefined) return;
          oldest();
        }
      };
      this.#reading.add(giveUp);
      // The code that answers reads and discards anything after the end, or closes the connection.
      request.on('data', take).on('end', whole).on('error', cut).on('close', cut);
    });
  }

  /** Keeps counting a body while it is being processed, until `release`. False: there is no room for it. */
  hold(length: number): boolean {
    if (this.#bytes + length > this.#inAll) return false;
    this.#bytes += length;
    return true;
  }

  release(length: number): void {
    this.#bytes -= length;
  }
}
