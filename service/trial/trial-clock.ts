import type { TestWorkflowEnvironment } from '@temporalio/testing';

/**
 * The clock of Temporal's test server. While anybody holds it, an activity is under way or a workflow has something to do, it runs as every clock does; else it
 * goes on at once to the next moment that somebody waits for. So nobody is too late, in whatever order a slow machine does things.
 */
export class TrialClock {
  readonly #server: TestWorkflowEnvironment;
  readonly #end = new AbortController();
  /** The server's time less this process's, in milliseconds. */
  #ahead = 0;

  constructor(server: TestWorkflowEnvironment) {
    this.#server = server;
  }

  /** Milliseconds since 1970, as of the last `look`. */
  readonly now = (): number => Date.now() + this.#ahead;

  async look(): Promise<void> {
    this.#ahead = (await this.#server.currentTimeMs()) - Date.now();
  }

  async hold(): Promise<void> {
    await this.#server.connection.testService?.lockTimeSkipping({});
  }

  async letGo(): Promise<void> {
    await this.#server.connection.testService?.unlockTimeSkipping({});
  }

  /** By whoever holds it, or within an activity: lets go of it for so long. Never over once the clock has been ended. */
  async sleep(ms: number): Promise<void> {
    try {
      await this.#server.connection.withAbortSignal(this.#end.signal, () => this.#server.sleep(ms));
    } catch (error) {
      if (this.#end.signal.aborted) return new Promise(() => undefined);
      throw error;
    }
    await this.look();
  }

  /** Whoever sleeps does not wake up: else their calls would be tried again on a connection that is closed. */
  end(): void {
    this.#end.abort();
  }
}
