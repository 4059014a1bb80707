import type { IncomingMessage } from 'node:http';

type UnprovenBody =
  | { readonly ok: true; readonly bytes: Buffer }
  /** 413: larger than it may be. 400: cut off, too slow, or it had to go for others. */
  | { readonly ok: false; readonly status: 400 | 413 };

interface Reading {
  bytes: number;
  /** Ends it, and what it has is forgotten. */
  readonly giveUp: () => void;
}

/**
 * Bodies that have to be read before it is known whose they are: a signature is over all of it. Each is bounded in size and time, and all
 * together in memory; where that is full, the one goes that has been coming for the longest. Whoever sends slowly keeps nobody else out.
 */
export class UnprovenBodies {
  readonly #atMost: number;
  readonly #inAll: number;
  readonly #withinMs: number;
  /** The one that began first comes first. */
  readonly #reading = new Set<Reading>();
  #bytes = 0;

  /** @param options in bytes, but for the time */
  constructor(options: { readonly atMost: number; readonly inAll: number; readonly withinMs: number }) {
    this.#atMost = options.atMost;
    this.#inAll = options.inAll;
    this.#withinMs = options.withinMs;
  }

  read(request: IncomingMessage): Promise<UnprovenBody> {
    if (Number(request.headers['content-length']) > this.#atMost) return Promise.resolve({ ok: false, status: 413 });
    return new Promise((resolve) => {
      const parts: Buffer[] = [];
      const end = (body: UnprovenBody): void => {
        clearTimeout(late);
        if (!this.#reading.delete(reading)) return;
        this.#bytes -= reading.bytes;
        request.off('data', take).off('end', whole).off('error', cut).off('close', cut);
        resolve(body);
      };
      const cut = (): void => end({ ok: false, status: 400 });
      const whole = (): void => end({ ok: true, bytes: Buffer.concat(parts) });
      const giveUp = (): void => {
        cut();
        // Whoever does not send does not read an answer either.
        request.destroy();
      };
      const reading: Reading = { bytes: 0, giveUp };
      const late = setTimeout(giveUp, this.#withinMs);
      const take = (part: Buffer): void => {
        reading.bytes += part.length;
        this.#bytes += part.length;
        if (reading.bytes > this.#atMost) {
          end({ ok: false, status: 413 });
          return;
        }
        parts.push(part);
        while (this.#bytes > this.#inAll) {
          const [oldest] = this.#reading;
          if (oldest === undefined) return;
          oldest.giveUp();
        }
      };
      this.#reading.add(reading);
      // What comes after the end is read and forgotten, or the connection closed, by whoever answers.
      request.on('data', take).on('end', whole).on('error', cut).on('close', cut);
    });
  }
}
