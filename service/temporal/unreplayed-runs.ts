import { RepeatedTrouble } from './repeated-trouble.ts';

export interface UnreplayedRunsOptions {
  readonly log: { error(fields: object, message: string): void };
  /** What people know a run by; undefined where this process does not know it. */
  readonly nameOf: (run: string) => string | undefined;
  readonly now?: () => number;
}

/** The part of the SDK's core that says it, as a warning. `crates/sdk-core/src/worker/workflow/mod.rs` of its sources. */
export const sayingUnreplayed = 'temporalio_sdk_core::worker::workflow';
/** Its own name of the cause, and it has no other sign for it. */
const notTheSame = /\bforce_cause: NonDeterministicError\b/;
const mostRuns = 1_000;

const whatToDo =
  'the history of a run does not come out the same when it is read again, so it does not go on: put back the keys that were taken out of `trust`, ' +
  'or what this cell remembers (`memory` in its state directory); if neither is there after ten minutes, the cell ends the run and begins the incident again';

/** A run whose history does not come out the same is tried again for ever. Each is one line of the log, and a few more at growing distances. */
export class UnreplayedRuns {
  readonly #options: UnreplayedRunsOptions;
  readonly #runs = new Map<string, RepeatedTrouble>();

  constructor(options: UnreplayedRunsOptions) {
    this.#options = options;
  }

  /** True when a line of the SDK is about that: it is told here, and is not to be logged as well. */
  takes({ target, runId, failure }: Readonly<Record<string, unknown>>): boolean {
    if (target !== sayingUnreplayed || typeof runId !== 'string' || typeof failure !== 'string') return false;
    if (!notTheSame.test(failure)) return false;
    const { log, nameOf, now } = this.#options;
    const trouble = this.#runs.get(runId) ?? new RepeatedTrouble(now && { now });
    this.#runs.delete(runId);
    this.#runs.set(runId, trouble);
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > mostRuns && oldest !== undefined) this.#runs.delete(oldest);
    const said = trouble.met(runId);
    const incident = nameOf(runId);
    if (said) log.error({ source: 'temporal', run: runId, ...(incident !== undefined && { incident }), ...said }, whatToDo);
    return true;
  }
}
