import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { DurableValues, MemoryKeeper, Remembered } from '../../../activities/memory/memory.ts';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import { UsedWarrants } from '../../../activities/memory/used-warrants.ts';
import { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import type { HeardKind } from '../contained-pods.ts';
import type { HeldObject } from '../held-objects.ts';
import type { OpenIncident } from '../open-incidents.ts';

interface Stored<Value> extends Remembered<Value> {
  readonly key: string;
}

/** What a process remembers of its own, in its state directory. Lost, it begins anew, and its memories know from when on they reach back. */
export class DurableMemory {
  readonly #root: RootDatabase;
  readonly #since: Database<number, string>;
  readonly #log: Pick<Logger, 'error'>;
  readonly #writing = new Set<Promise<boolean>>();

  constructor(directory: string, log: Pick<Logger, 'error'>) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#root = open({ path: directory, maxDbs: 16 });
    this.#since = this.#root.openDB({ name: 'since' });
    this.#log = log;
  }

  keeper<Value>(name: string): MemoryKeeper<Value> {
    const stored = this.#root.openDB<Stored<Value>, string>({ name });
    const began = this.#since.get(name) ?? Date.now();
    const keepSince = (since: number): void => this.#watch(this.#since.put(name, since));
    if (this.#since.get(name) === undefined) keepSince(began);
    return {
      load: () =>
        [...stored.getRange()]
          .map(({ value: { key, value, at } }) => [key, { value, at }] as const)
          .sort(([, a], [, b]) => a.at - b.at),
      since: () => began,
      // Keys of steps and incidents may be longer than those of the database.
      put: (key, entry) => this.#watch(stored.put(sha256Hex(key), { key, ...entry })),
      remove: (key) => this.#watch(stored.remove(sha256Hex(key))),
      keepSince,
    };
  }

  values<Value>(name: string): DurableValues<Value> {
    const stored = this.#root.openDB<{ readonly key: string; readonly value: Value }, string>({ name });
    /** What is being written is not read back from the disk before it is there; null: removed. */
    const writing = new Map<string, { readonly value: Value } | null>();
    const write = (key: string, entry: { readonly value: Value } | null): void => {
      const name = sha256Hex(key);
      writing.set(key, entry);
      const written = entry ? stored.put(name, { key, ...entry }) : stored.remove(name);
      const done = (): void => {
        if (writing.get(key) === entry) writing.delete(key);
      };
      this.#watch(written.finally(done));
    };
    return {
      keys: () => [
        ...new Set(
          [...[...stored.getRange()].map(({ value: { key } }) => key), ...writing.keys()].filter(
            (key) => writing.get(key) !== null,
          ),
        ),
      ],
      get: (key) => {
        const entry = writing.get(key);
        return entry === undefined ? stored.get(sha256Hex(key))?.value : entry?.value;
      },
      put: (key, value) => write(key, { value }),
      remove: (key) => write(key, null),
    };
  }

  /** What was begun is written first: a write into what is closed would end the process. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#writing);
    await this.#root.close();
  }

  /** A full disk must not end the process: it remembers on in memory. */
  #watch(written: Promise<boolean>): void {
    this.#writing.add(written);
    written
      .catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'what this process knows could not be kept'))
      .finally(() => this.#writing.delete(written));
  }
}

/** What this process knows of its own, and so need not believe of a call. Roles that share a process share it. */
export interface OwnKnowledge {
  readonly landed: LandedSteps;
  readonly incidents: IncidentMemory;
  readonly votes: VoteMemory;
  readonly warrants: UsedWarrants;
  /** Where the cell keeps which objects are held. */
  readonly heldObjects: MemoryKeeper<HeldObject>;
  /** Where the cell keeps which serious alerts have named a pod. */
  readonly alertKinds: MemoryKeeper<readonly HeardKind[]>;
  readonly starts: StartMemory;
  /** Incidents that are open, by what this cell knows. */
  readonly open: DurableValues<OpenIncident>;
  close(): Promise<void>;
}

export function openKnowledge(directory: string, log: Pick<Logger, 'error'>): OwnKnowledge {
  const stored = new DurableMemory(directory, log);
  return {
    landed: new LandedSteps({ landed: stored.keeper('landed'), givenBack: stored.keeper('given-back') }),
    incidents: new IncidentMemory({ heard: stored.keeper('heard'), runs: stored.keeper('runs') }),
    votes: new VoteMemory({
      votes: stored.keeper('votes'),
      newest: stored.keeper('askings'),
      leases: stored.keeper('leases'),
    }),
    warrants: new UsedWarrants(stored.keeper('warrants')),
    heldObjects: stored.keeper('held-objects'),
    alertKinds: stored.keeper('alert-kinds'),
    starts: new StartMemory({ keeper: stored.keeper('starts') }),
    open: stored.values('open'),
    close: () => stored.close(),
  };
}
