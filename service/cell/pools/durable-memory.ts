import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { OwnStepRecord } from '../../../activities/actions/own-action.ts';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import {
  type CountedPayload,
  type GroupedValues,
  JudgementMemory,
  type RefusedPayload,
} from '../../../activities/memory/judgement-memory.ts';
import { LandedSteps } from '../../../activities/memory/landed-steps.ts';
import type { DurableValues, MemoryKeeper, Remembered, StoredValues } from '../../../activities/memory/memory.ts';
import { RecordMemory } from '../../../activities/memory/record-memory.ts';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import { UsedWarrants } from '../../../activities/memory/used-warrants.ts';
import { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { SeenIncident } from '../../../core/cluster/cluster-resources.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { NoveltyStore } from '../../../core/novelty/novelty.ts';
import type { LastRun } from '../../../core/playbook/scheduled-runs.ts';
import type { CountStore } from '../../../core/playbook/timed-conditions.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import type { StoredAwaited } from '../alert-stamps.ts';
import type { HeardKind } from '../contained-pods.ts';
import type { HeldObject } from '../containment/held-objects.ts';
import type { MadePolicy } from '../containment/made-policies.ts';
import { RefusedReleases } from '../containment/refused-releases.ts';
import type { AlertsOfPod, WatchedQuarantine } from '../effect-book.ts';
import { OpenBook } from '../open/open-book.ts';

const sweptAtOnce = 1_000;

interface Stored<Value> extends Remembered<Value> {
  readonly key: string;
}

/** A process's own memory, in its state directory. If it is lost, it starts empty, and its memories know how far back they reach. */
export class DurableMemory {
  readonly #root: RootDatabase;
  readonly #since: Database<number, string>;
  readonly #log: Pick<Logger, 'error'>;
  /** Resolves when all pending writes have ended. A chain, because each alert of a storm waits for it and would otherwise check all of them. */
  #written = Promise.resolve();

  constructor(directory: string, log: Pick<Logger, 'error'>) {
    ensureFolderSync(directory, 0o700);
    this.#root = open({ path: directory, maxDbs: 64 });
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
      // Keys of steps and incidents may be longer than the database allows.
      put: (key, entry) => this.#watch(stored.put(sha256Hex(key), { key, ...entry })),
      remove: (key) => this.#watch(stored.remove(sha256Hex(key))),
      keepSince,
    };
  }

  values<Value>(name: string): DurableValues<Value> {
    const stored = this.#root.openDB<{ readonly key: string; readonly value: Value }, string>({ name });
    const writes = this.#writes(stored);
    return {
      keys: () => {
        const keys = [...stored.getRange()].filter(({ key }) => writes.under(key) === undefined).map(({ value: { key } }) => key);
        return [...keys, ...writes.all().map(({ key }) => key)];
      },
      get: (key) => writes.read(sha256Hex(key))?.value,
      put: (key, value) => writes.write(sha256Hex(key), { key, value }),
      remove: (key) => writes.write(sha256Hex(key), null),
    };
  }

  storedValues<Value>(name: string): StoredValues<Value> {
    const stored = this.#root.openDB<{ readonly key: string; readonly value: Value }, string>({ name });
    return {
      get: (key) => stored.get(sha256Hex(key))?.value,
      store: async (key, value) => {
        const written = stored.put(sha256Hex(key), { key, value });
        this.#watch(written);
        try {
          await written;
          await stored.flushed;
        } catch (error) {
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `what must be stored first could not be stored: ${reasonOf(error)}`);
        }
      },
    };
  }

  groups<Value>(name: string): GroupedValues<Value> {
    const stored = this.#root.openDB<Value, string>({ name });
    const writes = this.#writes(stored);
    const keyOf = (group: string, name: string): string => `${sha256Hex(group)}/${name}`;
    return {
      get: (group, name) => writes.read(keyOf(group, name)),
      put: (group, name, value) => writes.write(keyOf(group, name), value),
      forget: (group) => {
        // '0' comes after '/'.
        const range = { start: `${sha256Hex(group)}/`, end: `${sha256Hex(group)}0` };
        for (const key of stored.getKeys(range)) writes.write(key, null);
      },
      sweep: async (isOld, signal) => {
        for (let start = '', found = sweptAtOnce; found === sweptAtOnce && !signal.aborted; await nextTurn()) {
          const part = [...stored.getRange({ start, limit: sweptAtOnce })];
          for (const { key } of part) {
            // The current value: it may have been requested since.
            const value = writes.read(key);
            if (value !== undefined && isOld(value)) writes.write(key, null);
          }
          found = part.length;
          start = `${part.at(-1)?.key ?? ''}\u0000`;
        }
      },
    };
  }

  /** Values being written are not read from disk before they are there. */
  #writes<Entry>(stored: Database<Entry, string>) {
    /** null: removed. */
    const writing = new Map<string, Entry | null>();
    return {
      under: (key: string): Entry | null | undefined => writing.get(key),
      all: (): readonly Entry[] => [...writing.values()].filter((value) => value !== null),
      read: (key: string): Entry | undefined => {
        const value = writing.get(key);
        return value === undefined ? stored.get(key) : (value ?? undefined);
      },
      write: (key: string, value: Entry | null): void => {
        writing.set(key, value);
        const written = value === null ? stored.remove(key) : stored.put(key, value);
        const done = (): void => {
          if (writing.get(key) === value) writing.delete(key);
        };
        this.#watch(written.finally(done));
      },
    };
  }

  /** Resolves when pending writes are done, or have failed. */
  async written(): Promise<void> {
    await this.#written;
  }

  /** Finishes pending writes first: writing to a closed database would end the process. */
  async close(): Promise<void> {
    await this.written();
    await this.#root.close();
  }

  /** A full disk must not end the process: it continues in memory. */
  #watch(written: Promise<boolean>): void {
    const ended = written.then(
      () => undefined,
      (error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'cannot write the memory of this process to disk'),
    );
    this.#written = this.#written.then(() => ended);
  }
}

/** What this process knows itself, so that it need not trust a call. Roles that share a process share it. */
export interface OwnKnowledge {
  readonly landed: LandedSteps;
  readonly incidents: IncidentMemory;
  readonly votes: VoteMemory;
  readonly warrants: UsedWarrants;
  /** Objects that are held, as stored by the cell. */
  readonly heldObjects: MemoryKeeper<HeldObject>;
  /** Policies that actions have made. */
  readonly madePolicies: MemoryKeeper<MadePolicy>;
  /** Serious alerts that have named a pod, as stored by the cell. */
  readonly alertKinds: MemoryKeeper<readonly HeardKind[]>;
  /** Quarantines whose effect will be asked for, and the alerts of their pods since. */
  readonly watchedQuarantines: MemoryKeeper<WatchedQuarantine>;
  readonly alertsOfPods: MemoryKeeper<AlertsOfPod>;
  /** Digests of the questions that people have answered with "harmless", by what they were about. */
  readonly harmlessAnswers: MemoryKeeper<readonly string[]>;
  readonly starts: StartMemory;
  readonly judgements: JudgementMemory;
  /** Records that the audit store does not have yet. */
  readonly records: RecordMemory;
  /** Releases that do not succeed yet. */
  readonly refusedReleases: RefusedReleases;
  /** How often alerts arrived, for playbooks that ask for it. */
  readonly alertCounts: CountStore;
  /** What was seen of each workload. */
  readonly novelty: NoveltyStore;
  /** What was heard about incidents in which pack versions are observed, sealed. */
  readonly observed: MemoryKeeper<Uint8Array>;
  /** Steps of packs' actions, with the state before them. */
  readonly ownSteps: StoredValues<OwnStepRecord>;
  /** Alerts that something must follow. */
  readonly awaited: DurableValues<StoredAwaited>;
  /** When scheduled playbooks last ran. */
  readonly scheduledRuns: DurableValues<LastRun>;
  /** Incidents shown in the cluster, and the release that people are asked about: only used to show until when a containment holds. */
  readonly seenIncidents: DurableValues<SeenIncident>;
  readonly stepReleases: MemoryKeeper<string>;
  /** Resolves when all pending writes are on disk. */
  written(): Promise<unknown>;
  /** Incidents that are open, as far as this cell knows. */
  readonly open: OpenBook;
  close(): Promise<void>;
}

export function openKnowledge(directory: string, log: Pick<Logger, 'error'>): OwnKnowledge {
  const stored = new DurableMemory(directory, log);
  return {
    landed: new LandedSteps({
      landed: stored.keeper('landed'),
      done: stored.keeper('done-steps'),
      approved: stored.keeper('approved-steps'),
      givenBack: stored.keeper('given-back'),
      released: stored.keeper('released'),
    }),
    incidents: new IncidentMemory({ heard: stored.keeper('heard'), runs: stored.keeper('runs') }),
    votes: new VoteMemory({
      votes: stored.keeper('votes'),
      askings: stored.keeper('askings'),
      leases: stored.keeper('leases'),
      answered: stored.keeper('answered-pods'),
    }),
    warrants: new UsedWarrants(stored.keeper('warrants')),
    heldObjects: stored.keeper('held-objects'),
    madePolicies: stored.keeper('made-policies'),
    alertKinds: stored.keeper('alert-kinds'),
    watchedQuarantines: stored.keeper('watched-quarantines'),
    alertsOfPods: stored.keeper('alerts-of-pods'),
    harmlessAnswers: stored.keeper('harmless-answers'),
    starts: new StartMemory({ keeper: stored.keeper('starts') }),
    judgements: new JudgementMemory({
      counted: stored.groups<CountedPayload>('counted-payloads'),
      refused: stored.keeper<RefusedPayload>('refused-payloads'),
    }),
    records: new RecordMemory(stored.values('unsent-records')),
    refusedReleases: new RefusedReleases(stored.keeper('refused-releases')),
    alertCounts: stored.keeper('alert-counts'),
    novelty: stored.keeper('novelty'),
    observed: stored.keeper('observed'),
    ownSteps: stored.storedValues('own-steps'),
    awaited: stored.values('awaited'),
    scheduledRuns: stored.values('scheduled-runs'),
    seenIncidents: stored.values('seen-incidents'),
    stepReleases: stored.keeper('step-releases'),
    written: () => stored.written(),
    open: new OpenBook(stored.values('open')),
    close: () => stored.close(),
  };
}
