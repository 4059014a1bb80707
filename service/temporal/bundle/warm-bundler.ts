import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isObject } from '../../../core/text/plain-json.ts';
import { bundlerArgs, type PacksJob } from './pack-build.ts';

const jobMs = 60_000;

/**
 * Appends packs to the engine in a long-running process that has already loaded the parser of their code. No module of a pack runs there. Jobs run one after
 * another; if the process ends, the next job starts a new one.
 */
export class WarmBundler {
  #process: ChildProcess | undefined;
  #answers: AsyncIterator<string> | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor() {
    this.#start();
  }

  /** @throws Error with the message of `withPacks`. */
  bundle(job: PacksJob): Promise<void> {
    const done = this.#work.then(() => this.#bundle(job));
    this.#work = done.catch(() => undefined);
    return done;
  }

  close(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }

  async #bundle(job: PacksJob): Promise<void> {
    if (!this.#process) this.#start();
    const process = this.#process;
    const timer = setTimeout(() => process?.kill('SIGKILL'), jobMs);
    process?.stdin?.write(`${JSON.stringify(job)}\n`);
    const answer = await this.#answers?.next().finally(() => clearTimeout(timer));
    if (!answer || answer.done) {
      this.#process = undefined;
      throw new Error('the bundler process has exited');
    }
    const said: unknown = JSON.parse(answer.value);
    if (isObject(said) && typeof said.problem === 'string') throw new Error(said.problem);
  }

  #start(): void {
    const started = spawn(process.execPath, bundlerArgs, { env: { PATH: process.env.PATH }, stdio: ['pipe', 'pipe', 'ignore'] });
    // If the process ended before it read the job, the end of its output reports that.
    started.stdin.on('error', () => undefined);
    started.on('error', () => undefined);
    this.#process = started;
    this.#answers = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  }
}
