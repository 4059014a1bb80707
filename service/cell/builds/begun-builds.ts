import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowBuild } from '../../temporal/bundle/bundle.ts';

interface BegunBuildsOptions {
  /** The build that this process was started with. */
  readonly first: WorkflowBuild;
  /** Resolves with a function that ends its worker. */
  readonly start: (build: WorkflowBuild) => Promise<() => void>;
  /** Rejects until Temporal knows its worker: until then no incident can begin with it. */
  readonly makeKnown: (build: WorkflowBuild) => Promise<void>;
  readonly signal: AbortSignal;
  readonly knownWithinMs?: number;
}

/** A busy machine takes some tens of seconds to start a worker; restarting after a save takes no less. */
const knownWithinMs = 60_000;
const againMs = 20;

/**
 * The builds that new incidents begin with here, one after another, while the process keeps running. Open incidents stay on their build, whose worker keeps
 * running too. For packs under development. Each build differs from the previous one only in its bodies: everything that this process derived from envelopes is
 * unchanged.
 */
export class BegunBuilds {
  readonly #options: BegunBuildsOptions;
  readonly #workers = new Map<string, () => void>();
  #newest: WorkflowBuild;
  /** The build whose worker is starting, or already runs. */
  #next: WorkflowBuild | undefined;

  constructor(options: BegunBuildsOptions) {
    this.#options = options;
    this.#newest = options.first;
  }

  get newest(): WorkflowBuild {
    return this.#newest;
  }

  /** Makes new incidents begin with this build, as soon as they can. Returns false if that is not possible in time. Never rejects. */
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

  /** Starts the build's own worker, once. Resolves with a function that ends it. */
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

  /** Builds that run because incidents begin with them. */
  running(): readonly string[] {
    return [this.#options.first, this.#newest, ...(this.#next ? [this.#next] : [])].map(({ id }) => id);
  }

  /** Builds that run only for incidents already begun with them; each ends with its last incident. */
  superseded(): ReadonlyMap<string, () => void> {
    const running = this.running();
    return new Map([...this.#workers].filter(([id]) => !running.includes(id)));
  }
}
