import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { distribution } from '../report.ts';

/** What became of a load: the time of every alert from when it was due to its answer, and how many were accepted. */
export interface LoadResult {
  readonly sent: number;
  readonly accepted: number;
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  /** p99 of the alerts due in each second. */
  readonly p99BySecond: readonly number[];
}

const answered = Buffer.from('HTTP/1.1 ');

/** One request that was sent. */
interface Asked {
  readonly index: number;
  readonly dueAt: number;
}

type Heard = (index: number, status: number) => void;

/** Requests over open connections, each sent when it is due, whatever has come back: a slow server makes a queue, not a pause. */
export class OpenLoop {
  readonly #path: string;
  readonly #token: string;
  readonly #sockets: Socket[] = [];
  readonly #waiting: Asked[][] = [];
  #latencies: number[] = [];
  #dueAt: number[] = [];
  #accepted = 0;
  #answers = 0;
  #heard: Heard = () => {};

  constructor({ path, token }: { readonly path: string; readonly token: string }) {
    this.#path = path;
    this.#token = token;
  }

  async open(url: string, connections: number): Promise<void> {
    const { hostname, port } = new URL(url);
    for (let index = 0; index < connections; index += 1) {
      const socket = connect(Number(port), hostname);
      socket.setNoDelay(true);
      await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail));
      const waiting: Asked[] = [];
      socket.on('data', (data) => this.#read(data, waiting));
      this.#sockets.push(socket);
      this.#waiting.push(waiting);
    }
  }

  /**
   * `perSecond` without limit, or with `inFlight` as fast as that many unanswered requests allow. All counts are of requests except `accepted` in the result,
   * where each request answered 200 stands for `alerts`.
   */
  async run(options: {
    readonly count: number;
    readonly perSecond?: number;
    readonly inFlight?: number;
    readonly body: (index: number) => string;
    readonly alerts?: number;
    /** Called with each answer. Requests whose indexes differ by a multiple of the connections are answered in order. */
    readonly heard?: Heard;
  }): Promise<LoadResult> {
    const { count, perSecond, inFlight = Number.POSITIVE_INFINITY, body, alerts = 1 } = options;
    this.#heard = options.heard ?? (() => {});
    this.#latencies = [];
    this.#dueAt = [];
    this.#accepted = 0;
    this.#answers = 0;
    // Before the clock starts: sensors write their alerts on their own processors.
    const requests = Array.from({ length: count }, (_, index) => this.#request(body(index)));
    const began = performance.now();
    let sent = 0;
    while (sent < count) {
      const now = performance.now();
      const due = perSecond === undefined ? count : Math.floor(((now - began) / 1_000) * perSecond);
      let written = 0;
      while (sent < Math.min(due, count) && sent - this.#answers < inFlight && written < 500) {
        const dueAt = perSecond === undefined ? now : began + ((sent + 1) / perSecond) * 1_000;
        this.#send(requests[sent], sent, dueAt);
        sent += 1;
        written += 1;
      }
      // Never a busy loop, because the server shares the cores.
      await sleep(1);
    }
    const until = performance.now() + 60_000;
    while (this.#answers < sent && performance.now() < until) await sleep(5);
    const seconds = (performance.now() - began) / 1_000;
    const p99BySecond = this.#p99BySecond(began);
    return { sent: sent * alerts, accepted: this.#accepted * alerts, seconds, latenciesMs: this.#latencies, p99BySecond };
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #p99BySecond(began: number): readonly number[] {
    const seconds: number[][] = [];
    for (const [at, dueAt] of this.#dueAt.entries()) {
      const second = Math.floor((dueAt - began) / 1_000);
      seconds[second] ??= [];
      seconds[second].push(this.#latencies[at] ?? 0);
    }
    return seconds.map((latencies) => Math.round(distribution(latencies).p99));
  }

  #request(body: string): Buffer {
    const length = Buffer.byteLength(body);
    return Buffer.from(
      `POST ${this.#path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${this.#token}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`,
    );
  }

  #send(request: Buffer | undefined, index: number, dueAt: number): void {
    const place = index % this.#sockets.length;
    this.#waiting[place]?.push({ index, dueAt });
    this.#sockets[place]?.write(request ?? '');
  }

  #read(data: Buffer, waiting: Asked[]): void {
    const now = performance.now();
    for (let at = data.indexOf(answered); at >= 0; at = data.indexOf(answered, at + 9)) {
      this.#answers += 1;
      const { index, dueAt } = waiting.shift() ?? { index: -1, dueAt: now };
      const status = Number(data.subarray(at + 9, at + 12).toString());
      this.#dueAt.push(dueAt);
      this.#latencies.push(now - dueAt);
      if (status === 200) this.#accepted += 1;
      this.#heard(index, status);
    }
  }
}
