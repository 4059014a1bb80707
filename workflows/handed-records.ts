import type { DeskActivities } from '../core/action/step.ts';
import { type CarriedRecords, type HandedState, keyOfRecord, type OutgoingRecord } from '../core/audit/alert-archive.ts';
import { condition, recordsLeft, sleep } from './world.ts';

const mostAtOnce = 100;
/** Out of the 2 MB for the start of the next run. */
const mostCarriedBytes = 200_000;
/** After this many, each cell has read the state and no longer keeps them. */
const mostStored = 300;
const retryAfterRefusal = '5m';

/**
 * Records of runs that somebody ended or reset before the store had them. Their cell has kept them, and this run sends them on its behalf: in the chain in
 * which they were made, since nobody else may write there.
 */
export class HandedRecords {
  readonly #workflow: string;
  readonly #send: DeskActivities['recordAudit'];
  #waiting: ReadonlyMap<string, OutgoingRecord> = new Map();
  #stored: readonly string[] = [];

  constructor(workflow: string, send: DeskActivities['recordAudit'], carried?: CarriedRecords) {
    this.#workflow = workflow;
    this.#send = send;
    this.#stored = carried?.stored ?? [];
    this.hear(carried?.waiting ?? []);
  }

  get carried(): CarriedRecords {
    return { waiting: [...this.#waiting.values()], stored: this.#stored };
  }

  get keys(): Pick<HandedState, 'waiting' | 'stored'> {
    return { waiting: [...this.#waiting.keys()], stored: this.#stored };
  }

  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Whether it fits into the start of the next run. */
  get canBeCarried(): boolean {
    return JSON.stringify(this.carried.waiting).length <= mostCarriedBytes;
  }

  hear(records: readonly OutgoingRecord[]): void {
    const own = records.filter(({ chain }) => chain.startsWith(`${this.#workflow}@`));
    const fresh = own.map((record) => [keyOfRecord(record), record] as const).filter(([key]) => !this.#stored.includes(key));
    this.#waiting = new Map([...this.#waiting, ...fresh]);
  }

  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#waiting.size > 0);
      const batch = this.#next();
      try {
        await this.#send(batch.map(([, record]) => record));
      } catch {
        // As with the records of this run: the desk does not know this cell's key.
        await sleep(retryAfterRefusal);
        continue;
      }
      recordsLeft(batch.map(([, record]) => record));
      const sent = new Set(batch.map(([key]) => key));
      this.#waiting = new Map([...this.#waiting].filter(([key]) => !sent.has(key)));
      this.#stored = [...this.#stored, ...sent].slice(-mostStored);
    }
  }

  /** Each call to the store takes consecutive records of a single chain. */
  #next(): readonly (readonly [string, OutgoingRecord])[] {
    const [first, ...others] = [...this.#waiting].toSorted(
      ([, a], [, b]) => Number(a.chain > b.chain) - Number(a.chain < b.chain) || a.number - b.number,
    );
    const batch = first ? [first] : [];
    for (const one of others) {
      const last = batch.at(-1)?.[1];
      const follows = one[1].chain === last?.chain && one[1].number === last.number + 1;
      if (!follows || batch.length === mostAtOnce) break;
      batch.push(one);
    }
    return batch;
  }
}
