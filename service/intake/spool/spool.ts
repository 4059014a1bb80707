import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { type Database, open, type RootDatabase } from 'lmdb';
import { FirebreakError } from '../../../core/errors.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { takeLock } from '../../process/file-lock.ts';
import type { PlacedEntry, SpoolEntry } from './entry.ts';
import { FreshIds } from './fresh-ids.ts';
import { HiddenAlerts } from './hidden-alerts.ts';
import { Ledger } from './ledger.ts';
import { Notes } from './notes.ts';
import { RejectedItems } from './rejected-items.ts';
import { SentBeforeWrite } from './sent-before-write.ts';
import { WaitingAlerts } from './waiting-alerts.ts';
import { WriteAheadLog } from './write-ahead-log.ts';
import { partOfBatch, WriteGroup } from './write-group.ts';

/** A batch that is, or may be, on its way to Temporal. */
export interface Sending {
  /** The batch is everything of the incident up to this place. */
  readonly upTo: number;
  /** Places of the alerts that are sent in full; the others are counted. */
  readonly samples: readonly number[];
  /** Temporal has it: only the removal is left to do. */
  readonly sent?: true;
}

const removedAtOnce = 250;
const pageSize = 4_096;
/** Disk space left free by default, for what is written besides the alerts and by others. */
const usuallyLeftFree = 64 * 1024 ** 2;
const smallestMap = 64 * 1024 * 1024;

interface SpoolOptions {
  /** Must be on a local disk. */
  readonly directory: string;
  /** Maximum bytes of waiting alerts; beyond it nothing more is accepted. */
  readonly maxBytes: number;
  /** Bytes of the disk that are left free; default 64 MB. */
  readonly leftFree?: number;
}

/** An alert that is being written. */
export interface Written {
  /** Resolves when it is on disk, wherever. */
  readonly durable: Promise<unknown>;
  /** Resolves to its place once it is in the database. */
  readonly stored: Promise<number>;
}

interface Ahead {
  readonly incident: string;
  readonly entry: SpoolEntry;
}

interface Opened extends SpoolOptions {
  readonly root: RootDatabase;
  readonly unlock: () => void;
}

/**
 * The accepted alerts on disk, in order per incident, until Temporal has them. A write resolves when it is flushed to disk; concurrent writes share one flush.
 * A resolved write survives kill -9 and power loss.
 */
export class Spool {
  readonly ledger: Ledger;
  readonly rejectedItems: RejectedItems;
  readonly hidden: HiddenAlerts;
  readonly notes: Notes;
  /** Alerts whose start may be in Temporal without being in the ledger. */
  readonly sentBeforeWrite: SentBeforeWrite;
  readonly #root: RootDatabase;
  readonly #waiting: WaitingAlerts;
  readonly #fresh: FreshIds;
  readonly #sending: Database<Sending, string>;
  readonly #writes: WriteGroup;
  readonly #ahead: WriteAheadLog;
  readonly #maxBytes: number;
  readonly #unlock: () => void;
  #lastPlace = 0;
  #closed = false;
  readonly #directory: string;
  readonly #leftFree: number;
  #measured = { at: Number.NEGATIVE_INFINITY, isFull: false };

  private constructor({ root, maxBytes, leftFree = usuallyLeftFree, directory, unlock }: Opened) {
    this.#root = root;
    this.#waiting = new WaitingAlerts(root);
    this.#sending = root.openDB({ name: 'sending' });
    this.#writes = new WriteGroup(root);
    this.#ahead = new WriteAheadLog(directory);
    this.ledger = new Ledger(root);
    this.#fresh = new FreshIds(root, this.ledger);
    this.rejectedItems = new RejectedItems(root);
    this.hidden = new HiddenAlerts(root, this.ledger);
    this.notes = new Notes(root);
    this.sentBeforeWrite = new SentBeforeWrite(directory);
    this.#maxBytes = maxBytes;
    this.#directory = directory;
    this.#leftFree = leftFree;
    this.#unlock = unlock;
  }

  /** @throws FB_ERR_CONFLICT while another process holds the directory */
  static async open({ directory, maxBytes, leftFree }: SpoolOptions): Promise<Spool> {
    ensureFolderSync(directory, 0o700);
    const unlock = await takeLock(join(directory, 'spool.lock'));
    if (unlock === undefined)
      throw new FirebreakError('FB_ERR_CONFLICT', `another process uses the spool directory ${directory}`);
    const root = open({
      path: directory,
      maxDbs: 16,
      pageSize,
      // One map large enough for everything: each time the file outgrows its map, a larger one is added next to it, and each counts as memory.
      mapSize: mapSizeOf(maxBytes),
      // A commit is on disk before its promise resolves: a sender's 200 relies on that promise.
      overlappingSync: false,
    });
    // Stale readers of killed processes would keep old pages from being reused.
    root.readerCheck();
    const spool = new Spool({ root, maxBytes, directory, unlock, ...(leftFree !== undefined && { leftFree }) });
    const places = [
      spool.#waiting.lastPlace,
      spool.#fresh.lastPlace,
      ...spool.rejectedItems.refused(1).map(({ place }) => place),
    ];
    spool.#lastPlace = Math.max(...places);
    await spool.#recover();
    return spool;
  }

  /** Stores what only the write-ahead log has. With a full disk it stays there until the next start. */
  async #recover(): Promise<void> {
    if (this.isFull()) return;
    for (const record of this.#ahead.left()) {
      const { incident, entry }: Ahead = deserialize(record);
      if (this.incidentOf(entry.alert.id) === undefined) await this.add(incident, entry);
    }
    // Without it, containments wait for the database.
    await this.#ahead.begin().catch(() => {});
  }

  /** Writes the alert and remembers its id atomically. Resolves to its place when it is on disk. */
  async add(incident: string, entry: SpoolEntry): Promise<number> {
    this.#lastPlace += 1;
    const place = this.#lastPlace;
    const { id } = entry.alert;
    await this.#writes.add(this.#writeOf({ place, incident, entry }));
    this.#waiting.stored(place, incident);
    this.#fresh.stored(place, id, incident);
    return place;
  }

  /** The same for an alert that is acted upon as soon as it is durable. */
  addAhead(incident: string, entry: SpoolEntry): Written {
    const ahead: Ahead = { incident, entry };
    const { durable, release } = this.#ahead.append(serialize(ahead));
    const stored = this.add(incident, entry);
    // If it cannot be stored, it is found in the log at the next start.
    stored.then(release, () => {});
    const either = Promise.any([durable, stored]);
    // Whoever adds an alert waits for `stored` as well.
    either.catch(() => {});
    return { durable: either, stored };
  }

  /** A separate function, so that only the write holds the alert in memory. */
  #writeOf({ place, incident, entry }: PlacedEntry & { readonly incident: string }): () => void {
    return () => {
      this.#waiting.put(place, incident, entry);
      this.#fresh.put(place, entry.alert.id, incident);
    };
  }

  /** Returns the incident of an alert that was accepted within the last seven days. */
  incidentOf(alertId: string): string | undefined {
    return this.#fresh.get(alertId) ?? this.ledger.get(alertId)?.incident;
  }

  /** Returns the incidents that have waiting alerts. */
  incidents(): readonly string[] {
    return [...this.#waiting.incidents()];
  }

  /** Returns waiting alerts of an incident after a place, oldest first, at most `limit`. */
  entriesOf(incident: string, { after = 0, limit }: { readonly after?: number; readonly limit: number }): readonly PlacedEntry[] {
    this.#mustBeOpen();
    return this.#waiting.of(incident, { after, limit });
  }

  hasEntries(incident: string): boolean {
    return this.#waiting.has(incident);
  }

  sending(incident: string): Sending | undefined {
    this.#mustBeOpen();
    return this.#sending.get(incident);
  }

  /** Fixes the end of a batch before it is sent, so that exactly the same batch is built after a crash. */
  async markSending(incident: string, sending: Sending): Promise<void> {
    await this.#sending.put(incident, sending);
  }

  /** Nothing of the fixed batch was or will be accepted: it may be rebuilt. */
  async unmarkSending(incident: string): Promise<void> {
    await this.#sending.remove(incident);
  }

  /** Removes everything up to this place, because Temporal has it. With `refused`, Temporal will never accept it: it is set aside. */
  async remove(incident: string, { upTo, refused }: { readonly upTo: number; readonly refused?: string }): Promise<void> {
    const at = new Date().toISOString();
    for (;;) {
      this.#mustBeOpen();
      const places = this.#waiting.places(incident, { after: 0, upTo, limit: removedAtOnce });
      const isLast = places.length < removedAtOnce;
      await this.#root.batch(() => {
        for (const place of places) {
          const entry = refused === undefined ? undefined : this.#waiting.get(place);
          this.#waiting.remove(place);
          if (entry !== undefined) this.rejectedItems.putRefused(place, { at, reason: refused ?? '', incident, entry });
        }
        // A partial removal must not look like a smaller batch after a crash.
        partOfBatch(
          isLast || refused !== undefined
            ? this.#sending.remove(incident)
            : this.#sending.put(incident, { upTo, samples: [], sent: true }),
        );
      });
      this.#waiting.removed(incident, places);
      if (isLast) return;
    }
  }

  /** Returns a refused alert to its incident's line, behind what waits. @returns the incident; undefined if the alert does not exist */
  async takeBack(place: number): Promise<string | undefined> {
    const refused = this.rejectedItems.refusedAt(place);
    if (refused === undefined) return undefined;
    this.#lastPlace += 1;
    const next = this.#lastPlace;
    // Goes through the same queue as all other writes: the places of a line ascend.
    await this.#writes.add(() => {
      this.#waiting.put(next, refused.incident, refused.entry);
      this.rejectedItems.removeRefused(place);
    });
    this.#waiting.stored(next, refused.incident);
    return refused.incident;
  }

  /** Bytes of the waiting alerts on disk, including those that Temporal refused. */
  bytes(): number {
    return [...this.#waiting.stats(), this.rejectedItems.stats()].reduce<number>((sum, stats) => sum + bytesOf(stats), 0);
  }

  /** Fill level; 1 when the spool is full. */
  share(): number {
    return this.bytes() / this.#maxBytes;
  }

  /**
   * State of up to 50 ms ago, because it is called for every alert. A nearly full disk counts as full: after a commit has failed for lack of space, LMDB may
   * crash the whole process.
   */
  isFull(): boolean {
    const now = performance.now();
    if (now - this.#measured.at > 50)
      this.#measured = { at: now, isFull: this.bytes() >= this.#maxBytes || freeBytes(this.#directory) < this.#leftFree };
    return this.#measured.isFull;
  }

  /** An answer from Temporal that arrives later finds the spool closed, with FB_ERR_UNAVAILABLE: the alert is sent again after the next start. */
  async close(): Promise<void> {
    await this.notes.stop();
    await Promise.all([this.#writes.settled(), this.#fresh.stop()]);
    await this.#ahead.close();
    this.#closed = true;
    this.sentBeforeWrite.close();
    await this.#root.close();
    this.#unlock();
  }

  /** LMDB crashes the process, in a timer where the error cannot be caught, on a read while it is closing. */
  #mustBeOpen(): void {
    if (this.#closed) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the spool is closed');
  }
}

/** Bytes that a non-root user may still write there; infinite if the file system does not report it. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Address space only. Freed pages, the ledger and hidden alerts come on top of the waiting alerts. */
function mapSizeOf(maxBytes: number): number {
  return Math.ceil((2 * maxBytes + smallestMap) / pageSize) * pageSize;
}

function bytesOf(stats: unknown): number {
  if (typeof stats !== 'object' || stats === null) return 0;
  const counts = ['treeBranchPageCount', 'treeLeafPageCount', 'overflowPages'].map((name) => Number(Reflect.get(stats, name)));
  return counts.reduce((sum, count) => sum + (count || 0), 0) * pageSize;
}
