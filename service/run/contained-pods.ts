import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';

/** A pod that was contained, whatever became of it since. */
export interface ContainedPod {
  readonly incident: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Its incident has found the containment, and holds its lease. */
  readonly adopted: boolean;
}

const keptMs = 7 * 86_400_000;

/**
 * Remembers for seven days which pods were contained, by uid. A pod that people gave back must not be taken again without its
 * incident, and one that no incident adopts must be noticed; both after a restart too.
 */
export class ContainedPods {
  readonly #root: RootDatabase;
  readonly #pods: Database<ContainedPod, string>;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#root = open({ path: directory, maxDbs: 1 });
    this.#pods = this.#root.openDB({ name: 'pods' });
  }

  has(uid: string): boolean {
    return this.#pods.doesExist(uid);
  }

  async note(uid: string, pod: ContainedPod): Promise<void> {
    const known = this.#pods.get(uid);
    if (known === undefined || (pod.adopted && !known.adopted)) await this.#pods.put(uid, pod);
  }

  /** Those that no incident has adopted so long after. */
  *orphans(olderThanMs: number, now = Date.now()): Generator<{ readonly uid: string } & ContainedPod> {
    for (const { key, value } of this.#pods.getRange())
      if (!value.adopted && now - value.at > olderThanMs) yield { uid: key, ...value };
  }

  async forget(now = Date.now()): Promise<void> {
    const old = [...this.#pods.getRange()].filter(({ value }) => now - value.at > keptMs);
    await Promise.all(old.map(({ key }) => this.#pods.remove(key)));
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}
