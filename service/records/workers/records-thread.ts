/** Both ends of a thread that works on records, with its own connection to the database. */
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

/** More threads are not faster, because the database has to deliver their rows. */
const mostThreads = 4;

/**
 * Heap limits of a thread. Rows become garbage quickly: the smaller the young generation, the longer the processor works (a third longer with 16 MB, some eight
 * per cent with 24 MB).
 */
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

/** Threads of one program; each request goes to the thread with the fewest requests. */
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

  /** @throws FB_ERR_UNAVAILABLE if the database cannot be read */
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
    this.#worker.on('exit', () => this.#fail(new Error('it has exited')));
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
    // Not `once`, which would reject if the thread fails meanwhile.
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

/** Runs in the thread: answers each request, until it is told to end. */
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

/** An error of ours loses its class when it is passed to the other thread. */
function problemOf(error: unknown): NonNullable<Answered<never>['problem']> {
  if (error instanceof FirebreakError) return { code: error.code, detail: error.detail };
  return { code: 'FB_ERR_INTERNAL', detail: error instanceof Error ? error.message : 'a check of records failed' };
}
