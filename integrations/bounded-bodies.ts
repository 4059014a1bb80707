import type { IncomingMessage } from 'node:http';
import { GatheredBody } from './gathered-body.ts';

export type BoundedBody =
  | { readonly ok: true; readonly bytes: Buffer }
  /** Larger than it may be. */
  | { readonly ok: false; readonly status: 413 }
  /** Cut off, too slow, or it had to go for others. */
  | { readonly ok: false; readonly status: 400; readonly code: 'cut' };

/**
 * Bodies of one sender, or of all of whom only the whole body tells who they are: a signature is over all of it. Each is bounded in size and time, and all
 * together in memory; where that is full, the one goes that has been coming for the longest. Whoever sends slowly keeps nobody else out.
 */
export class BoundedBodies {
  readonly #atMost: number;
  readonly #inAll: number;
  readonly #withinMs: number | undefined;
  /** What ends each, so that what it has is forgotten; the one that began first comes first. */
  readonly #reading = new Set<() => void>();
  #bytes = 0;

  /** @param options in bytes, but for the time; without one a body may take as long as the server lets a request */
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
        // Whoever does not send does not read an answer either.
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
      // What comes after the end is read and forgotten, or the connection closed, by whoever answers.
      request.on('data', take).on('end', whole).on('error', cut).on('close', cut);
    });
  }

  /** Counts what was read for as long as it is being worked on, until `release`. False: there is no room for it. */
  hold(length: number): boolean {
    if (this.#bytes + length > this.#inAll) return false;
    this.#bytes += length;
    return true;
  }

  release(length: number): void {
    this.#bytes -= length;
  }
}
