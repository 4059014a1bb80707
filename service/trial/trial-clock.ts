import type { TestWorkflowEnvironment } from '@temporalio/testing';

/**
 * The clock of Temporal's test server. It runs at normal speed while it is held, an activity is in progress or a workflow has something to do; otherwise it
 * jumps to the next moment that somebody waits for. So nothing is late, in whatever order a slow machine does things.
 */
export class TrialClock {
  readonly #server: TestWorkflowEnvironment;
  readonly #end = new AbortController();
  /** The server's time minus this process's, in milliseconds. */
  #ahead = 0;

  constructor(server: TestWorkflowEnvironment) {
    this.#server = server;
  }

  /** Milliseconds since 1970, as of the last `look`. */
  readonly now = (): number => Date.now() + this.#ahead;

  async look(): Promise<void> {
    this.#ahead = await this.ahead();
  }

  /** The server's time minus this process's, in milliseconds. */
  async ahead(): Promise<number> {
    return (await this.#server.currentTimeMs()) - Date.now();
  }

  async hold(): Promise<void> {
    await this.#server.connection.testService?.lockTimeSkipping({});
  }

  async letGo(): Promise<void> {
    await this.#server.connection.testService?.unlockTimeSkipping({});
  }

  /** Called by a holder, or within an activity: releases the clock for this long. Never resolves once the clock has ended. */
  async sleep(ms: number): Promise<void> {
    try {
      await this.#server.connection.withAbortSignal(this.#end.signal, () => this.#server.sleep(ms));
    } catch (error) {
      if (this.#end.signal.aborted) return new Promise(() => undefined);
      throw error;
    }
    await this.look();
  }

  /** Sleepers do not wake up: otherwise their calls would be retried on a closed connection. */
  end(): void {
    this.#end.abort();
  }
}
