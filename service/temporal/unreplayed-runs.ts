import { RepeatedTrouble } from './repeated-trouble.ts';

export interface UnreplayedRunsOptions {
  readonly log: { error(fields: object, message: string): void };
  /** The name by which people know a run; undefined if this process does not know it. */
  readonly nameOf: (run: string) => string | undefined;
  readonly now?: () => number;
}

/** The module of the SDK's core that logs it, as a warning. See `crates/sdk-core/src/worker/workflow/mod.rs` of its sources. */
export const sayingUnreplayed = 'temporalio_sdk_core::worker::workflow';
/** The core's own name of the cause; it gives no other sign. */
const notTheSame = /\bforce_cause: NonDeterministicError\b/;
const mostRuns = 1_000;

const whatToDo =
  'replaying the history of a run gives a different result, so the run cannot continue: restore the keys that were removed from `trust`, ' +
  'or what this cell remembers (`memory` in its state directory). If neither is restored after ten minutes, the cell ends the run and starts the incident again';

/** A run that does not replay its history is retried for ever. Each gets one log line, and a few more at growing intervals. */
export class UnreplayedRuns {
  readonly #options: UnreplayedRunsOptions;
  readonly #runs = new Map<string, RepeatedTrouble>();

  constructor(options: UnreplayedRunsOptions) {
    this.#options = options;
  }

  /** Returns true if a line of the SDK is about that: it is reported here and must not be logged as well. */
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
