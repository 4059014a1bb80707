import { LRUCache } from 'lru-cache';

/** A run that has ended its playbook runner twice: its tasks reach no runner any more. */
interface HaltedRun {
  readonly workflow: string;
  readonly run: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What became of its runner. */
  readonly why: string;
}

const most = 1_000;

/** The runs of this process that are set aside and that people have not been told of: an incident that is set aside cannot tell them itself. */
export class HaltedRuns {
  readonly #untold = new LRUCache<string, HaltedRun>({ max: most });

  add(run: HaltedRun): void {
    this.#untold.set(run.run, run);
  }

  untold(): readonly HaltedRun[] {
    return [...this.#untold.values()];
  }

  told({ run }: Pick<HaltedRun, 'run'>): void {
    this.#untold.delete(run);
  }
}

/** Those of all workers of this process: the SDK makes their runners by itself. */
export const haltedRuns = new HaltedRuns();
