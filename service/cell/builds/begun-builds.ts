import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowBuild } from '../../temporal/bundle/bundle.ts';

interface BegunBuildsOptions {
  /** The build that this process was started with. */
  readonly first: WorkflowBuild;
  /** Resolves with what ends its worker. */
  readonly start: (build: WorkflowBuild) => Promise<() => void>;
  /** Rejects until Temporal has heard of its worker: until then no incident can begin with it. */
  readonly makeKnown: (build: WorkflowBuild) => Promise<void>;
  readonly signal: AbortSignal;
  readonly knownWithinMs?: number;
}

/** A used machine takes some tens of seconds to start a worker; who has saved waits no less for a restart. */
const knownWithinMs = 60_000;
const againMs = 20;

/**
 * The builds that new incidents begin with here, one after another, while the process goes on: what is open stays on its build, whose worker runs beside. For
 * packs that are being written. The next one differs from the one before in what bodies do alone: all that this process has made of envelopes is as it was.
 */
export class BegunBuilds {
  readonly #options: BegunBuildsOptions;
  readonly #workers = new Map<string, () => void>();
  #newest: WorkflowBuild;
  /** Its worker is starting, or runs already. */
  #next: WorkflowBuild | undefined;

  constructor(options: BegunBuildsOptions) {
    this.#options = options;
    this.#newest = options.first;
  }

  get newest(): WorkflowBuild {
    return this.#newest;
  }

  /** Has new incidents begin with it, as soon as they can. False where that cannot be in time. Never rejects. */
  async adopt(build: WorkflowBuild): Promise<boolean> {
    const { makeKnown, signal } = this.#options;
    const until = Date.now() + (this.#options.knownWithinMs ?? knownWithinMs);
    this.#next = build;
    try {
      await this.start(build);
      for (;;) {
        if (signal.aborted) return false;
        try {
          await makeKnown(build);
          break;
        } catch {
          if (Date.now() >= until) return false;
          await sleep(againMs, undefined, { ref: false });
        }
      }
      this.#newest = build;
      return true;
    } catch {
      return false;
    } finally {
      this.#next = undefined;
    }
  }

  /** A worker of its own, once. Resolves with what ends it. */
  async start(build: WorkflowBuild): Promise<() => void> {
    const { first, start } = this.#options;
    if (build.id === first.id) return () => {};
    const known = this.#workers.get(build.id);
    if (known) return known;
    const end = await start(build);
    const ended = (): void => {
      this.#workers.delete(build.id);
      end();
    };
    this.#workers.set(build.id, ended);
    return ended;
  }

  /** What runs because incidents begin with it. */
  running(): readonly string[] {
    return [this.#options.first, this.#newest, ...(this.#next ? [this.#next] : [])].map(({ id }) => id);
  }

  /** What runs because some incidents have begun with it, and ends with the last of them. */
  superseded(): ReadonlyMap<string, () => void> {
    const running = this.running();
    return new Map([...this.#workers].filter(([id]) => !running.includes(id)));
  }
}
