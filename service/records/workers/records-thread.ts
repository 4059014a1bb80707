/** Both ends of a thread that works on records, with a connection of its own to the database. */
import { availableParallelism } from 'node:os';
import { extname, join } from 'node:path';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { codeOf, type ErrorCode, FirebreakError } from '../../../core/errors.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openAsIs } from '../../../integrations/database/database.ts';
import { type AuditKeys, trustInKeys } from '../audit-trust.ts';

/** What a thread is started with. */
export interface ThreadParts {
  readonly url: string;
  readonly keys: AuditKeys;
}

/** More are no faster: the database has to give what they work on. */
const mostThreads = 4;

/** Of a thread. Rows are rubbish a moment later: the less room they have, the longer the processor works (with 16 MB a third, with 24 MB some eight per cent). */
const heap = { maxYoungGenerationSizeMb: 48, maxOldGenerationSizeMb: 256 };

/** `undefined` asks a thread to end. */
interface Asked<Request> {
  readonly id: number;
  readonly request: Request | undefined;
}

interface Answered<Result> {
  readonly id: number;
  readonly value?: Result;
  readonly problem?: { readonly code: ErrorCode; readonly detail: string };
}

/** Threads of one program; each request goes to the one that has the fewest. */
export class RecordsThreads<Request, Result> {
  readonly #threads: readonly RecordsThread<Request, Result>[];

  /** @param program next to this file, without its extension */
  constructor(program: string, parts: ThreadParts) {
    const count = Math.min(mostThreads, availableParallelism());
    this.#threads = Array.from({ length: count }, () => new RecordsThread<Request, Result>(program, parts));
  }

  get count(): number {
    return this.#threads.length;
  }

  /** @throws FB_ERR_UNAVAILABLE when the database cannot be read */
  ask(request: Request): Promise<Result> {
    return this.#threads.reduce((a, b) => (b.waiting < a.waiting ? b : a)).ask(request);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }
}

class RecordsThread<Request, Result> {
  readonly #worker: Worker;
  readonly #asked = new Map<number, { readonly resolve: (value: Result) => void; readonly reject: (error: unknown) => void }>();
  #failed: Error | undefined;
  #count = 0;

  constructor(program: string, parts: ThreadParts) {
    const file = join(import.meta.dirname, `${program}${extname(import.meta.filename)}`);
    this.#worker = new Worker(file, { workerData: parts, resourceLimits: heap });
    this.#worker.on('message', ({ id, value, problem }: Answered<Result>) => {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      if (problem) asked?.reject(new FirebreakError(problem.code, problem.detail));
      else asked?.resolve(value as Result);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('it has ended')));
  }

  get waiting(): number {
    return this.#asked.size;
  }

  ask(request: Request | undefined): Promise<Result> {
    if (this.#failed) return Promise.reject(this.#failed);
    this.#count += 1;
    const asked: Asked<Request> = { id: this.#count, request };
    return new Promise((resolve, reject) => {
      this.#asked.set(asked.id, { resolve, reject });
      this.#worker.postMessage(asked);
    });
  }

  async end(): Promise<void> {
    if (this.#failed) return;
    // Not `once`: a thread that fails meanwhile would have that reject.
    const ended = new Promise((resolve) => void this.#worker.on('exit', resolve));
    await this.ask(undefined).catch(() => this.#worker.terminate());
    await ended;
  }

  #fail(error: unknown): void {
    const code = codeOf(error);
    const detail = error instanceof Error ? error.message : String(error);
    this.#failed ??= new FirebreakError(code, `a thread that checks records: ${detail}`);
    for (const { reject } of this.#asked.values()) reject(this.#failed);
    this.#asked.clear();
  }
}

/** In the thread: answers each request, until it is asked to end. */
export async function answerRequests<Request, Result>(
  workWith: (given: { readonly store: AuditStore } & ReturnType<typeof trustInKeys>) => (request: Request) => Promise<Result>,
): Promise<void> {
  const { url, keys }: ThreadParts = workerData;
  const database = await openAsIs({ url });
  const work = workWith({ store: createAuditStore(database), ...trustInKeys(keys) });
  parentPort?.on('message', async ({ id, request }: Asked<Request>) => {
    const given = await (request === undefined ? database.close() : work(request)).then(
      (value) => ({ id, value }),
      (error) => ({ id, problem: problemOf(error) }),
    );
    parentPort?.postMessage(given);
    if (request === undefined) parentPort?.close();
  });
}

/** An error of ours is no longer one on the other side. */
function problemOf(error: unknown): NonNullable<Answered<never>['problem']> {
  if (error instanceof FirebreakError) return { code: error.code, detail: error.detail };
  return { code: 'FB_ERR_INTERNAL', detail: error instanceof Error ? error.message : 'a check of records failed' };
}
