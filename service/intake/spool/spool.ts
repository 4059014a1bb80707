import { statfsSync } from 'node:fs';
import { join } from 'node:path';
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
import { partOfBatch, WriteGroup } from './write-group.ts';

/** A batch that is, or may be, on its way to Temporal. */
export interface Sending {
  /** The batch is everything of the incident up to this place. */
  readonly upTo: number;
  /** Places of the alerts that go whole; the others are counted. */
  readonly samples: readonly number[];
  /** Temporal has it: only the removal is left to do. */
  readonly sent?: true;
}

const removedAtOnce = 250;
const pageSize = 4_096;
/** Of the disk: for what is written besides the alerts, and for who else writes there. */
const usuallyLeftFree = 64 * 1024 ** 2;
const smallestMap = 64 * 1024 * 1024;

interface SpoolOptions {
  /** On a local disk. */
  readonly directory: string;
  /** Bytes that waiting alerts may take before nothing more is accepted. */
  readonly maxBytes: number;
  /** Bytes of its disk that are left free; 64 MB where nothing is said. */
  readonly leftFree?: number;
}

interface Opened extends SpoolOptions {
  readonly root: RootDatabase;
  readonly unlock: () => void;
}

/**
 * The accepted alerts on disk, in order per incident, until Temporal has them. A write resolves when it is flushed to disk;
 * writes at the same time share one flush. What a write promised survives kill -9 and power loss.
 */
export class Spool {
  readonly ledger: Ledger;
  readonly rejectedItems: RejectedItems;
  readonly hidden: HiddenAlerts;
  readonly notes: Notes;
  /** Alerts whose start may be in Temporal without the ledger's knowledge. */
  readonly sentBeforeWrite: SentBeforeWrite;
  readonly #root: RootDatabase;
  readonly #waiting: WaitingAlerts;
  readonly #fresh: FreshIds;
  readonly #sending: Database<Sending, string>;
  readonly #writes: WriteGroup;
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
      // One map for all that may come: each time that the file outgrows its map a larger one is put beside it, and each counts as memory.
      mapSize: mapSizeOf(maxBytes),
      // A commit is on the disk before its promise resolves: that promise is what a sender's 200 rests on.
      overlappingSync: false,
    });
    // Readers that were killed would keep old pages from being used again.
    root.readerCheck();
    const spool = new Spool({ root, maxBytes, directory, unlock, ...(leftFree !== undefined && { leftFree }) });
    const places = [
      spool.#waiting.lastPlace,
      spool.#fresh.lastPlace,
      ...spool.rejectedItems.refused(1).map(({ place }) => place),
    ];
    spool.#lastPlace = Math.max(...places);
    return spool;
  }

  /** Writes the alert and remembers its id, both or none. Resolves to its place when it is on the disk. */
  async add(incident: string, entry: SpoolEntry): Promise<number> {
    this.#lastPlace += 1;
    const place = this.#lastPlace;
    const { id } = entry.alert;
    await this.#writes.add(this.#writeOf({ place, incident, entry }));
    this.#waiting.stored(place, incident);
    this.#fresh.stored(place, id, incident);
    return place;
  }

  /** By itself, so that nothing but the write holds the alert. */
  #writeOf({ place, incident, entry }: PlacedEntry & { readonly incident: string }): () => void {
    return () => {
      this.#waiting.put(place, incident, entry);
      this.#fresh.put(place, entry.alert.id, incident);
    };
  }

  /** The incident of an alert that was accepted within the last seven days. */
  incidentOf(alertId: string): string | undefined {
    return this.#fresh.get(alertId) ?? this.ledger.get(alertId)?.incident;
  }

  /** Incidents that have waiting alerts. */
  incidents(): readonly string[] {
    return [...this.#waiting.incidents()];
  }

  /** Waiting alerts of an incident after a place, oldest first, `limit` at most. */
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

  /** Fixes a batch's end before it is sent: after a crash exactly the same batch is made again. */
  async markSending(incident: string, sending: Sending): Promise<void> {
    await this.#sending.put(incident, sending);
  }

  /** Nothing of the fixed batch was taken, and nothing will be: it may be made anew. */
  async unmarkSending(incident: string): Promise<void> {
    await this.#sending.remove(incident);
  }

  /** Temporal has everything up to this place: it leaves the spool. With `refused` it does not, and never will: it is set aside. */
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
        // A removal in parts must not look like a smaller batch after a crash.
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

  /** Puts an alert that was refused back in its incident's line, behind what waits. @returns the incident; undefined when it is not there */
  async takeBack(place: number): Promise<string | undefined> {
    const refused = this.rejectedItems.refusedAt(place);
    if (refused === undefined) return undefined;
    this.#lastPlace += 1;
    const next = this.#lastPlace;
    // The way of all others: the places of a line ascend.
    await this.#writes.add(() => {
      this.#waiting.put(next, refused.incident, refused.entry);
      this.rejectedItems.removeRefused(place);
    });
    this.#waiting.stored(next, refused.incident);
    return refused.incident;
  }

  /** Bytes that the waiting alerts take on disk, those that Temporal refused included. */
  bytes(): number {
    return [...this.#waiting.stats(), this.rejectedItems.stats()].reduce<number>((sum, stats) => sum + bytesOf(stats), 0);
  }

  /** 1 when it is full. */
  share(): number {
    return this.bytes() / this.#maxBytes;
  }

  /**
   * As it was up to 50 ms ago: it is asked for every alert. A disk that is nearly full counts as well: once a commit has failed for want of room,
   * LMDB may take the whole process with it.
   */
  isFull(): boolean {
    const now = performance.now();
    if (now - this.#measured.at > 50)
      this.#measured = { at: now, isFull: this.bytes() >= this.#maxBytes || freeBytes(this.#directory) < this.#leftFree };
    return this.#measured.isFull;
  }

  /** An answer of Temporal that comes later finds it closed, with FB_ERR_UNAVAILABLE: the alert is sent again after the next start. */
  async close(): Promise<void> {
    await this.notes.stop();
    await Promise.all([this.#writes.settled(), this.#fresh.stop()]);
    this.#closed = true;
    this.sentBeforeWrite.close();
    await this.#root.close();
    this.#unlock();
  }

  /** LMDB lets the process fail, in a timer where nobody can catch it, for a read between the beginning and the end of its closing. */
  #mustBeOpen(): void {
    if (this.#closed) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the spool is closed');
  }
}

/** What anybody but root may still write there; without end where the file system does not say. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Address space only. Pages that are free again, the ledger and what is hidden come on top of the waiting alerts. */
function mapSizeOf(maxBytes: number): number {
  return Math.ceil((2 * maxBytes + smallestMap) / pageSize) * pageSize;
}

function bytesOf(stats: unknown): number {
  if (typeof stats !== 'object' || stats === null) return 0;
  const counts = ['treeBranchPageCount', 'treeLeafPageCount', 'overflowPages'].map((name) => Number(Reflect.get(stats, name)));
  return counts.reduce((sum, count) => sum + (count || 0), 0) * pageSize;
}
