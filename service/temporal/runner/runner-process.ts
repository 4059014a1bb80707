import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import { serialize } from 'node:v8';
import type { Logger } from '@temporalio/common';
import { z } from 'zod';
import { FirebreakError } from '../../../core/errors.ts';
import { serviceEnvironment } from '../../launcher/node-flags.mjs';
import { limitMemory } from '../../packs/memory-limit.ts';
import { codeFolders, confinedFlags } from '../../packs/pack-program.ts';
import { answerIn, framed, readFrames } from './frames.ts';
import type { RunnerBundle, RunnerOrder } from './messages.ts';

/** The runner ends a task itself after five seconds of its time; this is for one that cannot. */
const mostTaskMs = 30_000;
/** A start takes half a second of CPU time; a used machine takes its time. */
const mostStartMs = 120_000;
/** For the objects of a worker's incidents: it keeps at most 220 of them, and lives with half of this. */
const memoryMb = 384;
const mostLineChars = 500;
const mostLinesAMinute = 60;
const root = join(import.meta.dirname, '..', '..', '..');

/** Node's flags for a runner. */
export function runnerFlags(): readonly string[] {
  const { resolve } = createRequire(import.meta.url);
  const bridge = '@temporalio/core-bridge';
  // Also where it is linked: some installers link packages, and Node reads the link.
  const links = (resolve.paths(bridge) ?? []).map((folder) => join(folder, bridge)).filter((link) => existsSync(link));
  const native = [dirname(resolve(`${bridge}/package.json`)), ...links];
  // The messages of Temporal make their readers from text, outside the sandbox: its own context and functions make none.
  const confined = confinedFlags({ readable: [...codeFolders(root), ...native], megabytes: memoryMb }).filter(
    (flag) => flag !== '--disallow-code-generation-from-strings',
  );
  // The built program finds this package by its link; to follow the link, Node would have to read the folders on the way.
  const isBuilt = extname(import.meta.filename) === '.js';
  return [...confined, ...engineFlags, ...(isBuilt ? ['--preserve-symlinks'] : [])];
}

/** What a runner says: its worker believes none of it unseen. */
const answerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ready') }),
  z.strictObject({ kind: z.literal('done'), id: z.int(), sinks: z.unknown().optional() }),
  z.strictObject({ kind: z.literal('failed'), id: z.int(), reason: z.string() }),
]);

interface Answer {
  readonly sinks?: unknown;
  readonly bytes: Buffer;
}

interface Waiting {
  readonly id: number;
  /** The run whose code runs meanwhile. */
  readonly runId: string | undefined;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** The runner has ended, however it did: what it was asked is not done. */
export class RunnerEnded extends Error {
  /** Its last task was of this run. */
  readonly isOwn: boolean;
  readonly why: string;

  constructor(why: string, isOwn: boolean) {
    super(`the playbook runner has ended: ${why}`);
    this.why = why;
    this.isOwn = isOwn;
  }
}

interface Queued {
  readonly order: RunnerOrder;
  readonly waiting: Omit<Waiting, 'id'>;
}

/**
 * One process that runs workflows. It is given a pipe and nothing else: no environment, no file but Firebreak's own program, and by `confineProcess` no
 * network. One order at a time, so whatever ends the process is of the run in progress.
 */
export class RunnerProcess {
  /** Resolves once it has its bundle. Rejects if it cannot use it. */
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #logger: Logger;
  readonly #queue: Queued[] = [];
  readonly #ready: Promise<void>;
  #isReady = (): void => undefined;
  #inFlight: Waiting | undefined;
  #ids = 0;
  #isClosed = false;
  #ended: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lines = 0;
  #linesSince = 0;

  constructor(bundle: RunnerBundle, logger: Logger) {
    this.#logger = logger;
    const program = join(import.meta.dirname, `runner-main${extname(import.meta.filename)}`);
    this.#child = spawn(process.execPath, [...runnerFlags(), program], {
      env: serviceEnvironment,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const [, out, errors, pipe] = this.#child.stdio;
    if (!(pipe instanceof Duplex) || !out || !errors) throw new FirebreakError('FB_ERR_INTERNAL', 'a runner has no pipe');
    this.#pipe = pipe;
    this.#ready = new Promise((resolve) => {
      this.#isReady = resolve;
    });
    pipe.on('error', () => undefined);
    readFrames(
      pipe,
      (body) => this.#heard(body),
      () => this.#end('it said more than any task may'),
    );
    for (const from of [out, errors]) eachLine(from as Readable, (line) => this.#print(line));
    this.#child.on('error', (error) => this.#end(error.message));
    this.#child.on('exit', (code, signal) => this.#end(signal ? `by ${signal}` : `with code ${code}`));
    limitMemory(this.#child, memoryMb, (did) => this.#end(`it ${did}`));
    this.#watch(mostStartMs);
    void this.#ready.then(() => this.#next());
    this.started = this.send({ kind: 'init', ...bundle }).then(() => undefined);
    this.started.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** @throws RunnerEnded, and Error if the runner could not do it */
  send(order: RunnerOrder): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const runId = order.kind === 'create' ? order.options.info.runId : order.kind === 'init' ? undefined : order.runId;
      this.#queue.push({ order, waiting: { runId, resolve, reject } });
      if (this.#ended !== undefined) this.#failAll();
      else void this.#ready.then(() => this.#next());
    });
  }

  get isIdle(): boolean {
    return this.#inFlight === undefined && this.#queue.length === 0;
  }

  /** Nobody is to blame for this end. */
  close(): void {
    this.#isClosed = true;
    this.#end('it was closed');
  }

  #next(): void {
    if (this.#inFlight || this.#ended !== undefined) return;
    const queued = this.#queue.shift();
    if (!queued) return;
    this.#ids += 1;
    const id = this.#ids;
    this.#inFlight = { id, ...queued.waiting };
    this.#watch(queued.order.kind === 'init' ? mostStartMs : mostTaskMs);
    this.#pipe.write(framed(serialize({ id, ...queued.order })));
  }

  #watch(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(`it gave no answer in ${ms / 1_000} s`), ms).unref();
  }

  #heard(body: Buffer): unknown {
    let answer: z.infer<typeof answerSchema>;
    let bytes: Buffer;
    try {
      const read = answerIn(body);
      answer = answerSchema.parse(read.head);
      bytes = read.bytes;
    } catch {
      return this.#end('it said what is no answer');
    }
    if (answer.kind === 'ready') return this.#isReady();
    const waiting = this.#inFlight;
    if (waiting?.id !== answer.id) return this.#end('it answered what nobody had asked');
    clearTimeout(this.#timer);
    this.#inFlight = undefined;
    if (answer.kind === 'done') waiting.resolve({ sinks: answer.sinks, bytes });
    else waiting.reject(new Error(answer.reason));
    this.#next();
  }

  #end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    clearTimeout(this.#timer);
    this.#child.kill('SIGKILL');
    if (!this.#isClosed)
      this.#logger.error(`a playbook runner has ended: ${reason}. The incidents that it ran are read again from their histories`);
    this.#failAll();
  }

  #failAll(): void {
    const reason = this.#ended ?? '';
    const inFlight = this.#inFlight;
    this.#inFlight = undefined;
    inFlight?.reject(new RunnerEnded(reason, !this.#isClosed));
    for (const { waiting } of this.#queue.splice(0)) waiting.reject(new RunnerEnded(reason, false));
  }

  /** Code of a pack may print anything: it becomes one field of a line of ours. */
  #print(line: string): void {
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== this.#linesSince) this.#lines = 0;
    this.#linesSince = minute;
    this.#lines += 1;
    if (this.#lines > mostLinesAMinute) return;
    const more = this.#lines === mostLinesAMinute ? ' (further lines of this minute are left out)' : '';
    this.#logger.warn(`a playbook runner printed: ${line}${more}`);
  }
}

/** Of the service's own flags those that save memory, and the bound of regular expressions (`boundPatterns`). */
const engineFlags = [
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--v8-pool-size=1',
  '--max-semi-space-size=16',
];

/** Calls `heard` with the beginning of each line; the rest of a long one is not kept. */
function eachLine(from: Readable, heard: (line: string) => void): void {
  let line = '';
  from.setEncoding('utf8').on('data', (text: string) => {
    const [first = '', ...more] = text.split('\n');
    line = (line + first).slice(0, mostLineChars);
    for (const next of more) {
      if (line !== '') heard(line);
      line = next.slice(0, mostLineChars);
    }
  });
}
