import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Counts how many of some objects are still referenced: shows that a reader of large data is bounded, on a machine of any speed and memory. */
export class ReachableObjects {
  readonly #watched: WeakRef<object>[] = [];

  watch(one: object): void {
    this.#watched.push(new WeakRef(one));
  }

  async count(): Promise<number> {
    // Code that has requested one holds it until its turn is over.
    await setImmediate();
    collect();
    return this.#watched.filter((one) => one.deref() !== undefined).length;
  }
}
