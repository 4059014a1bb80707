import { setImmediate } from 'node:timers/promises';
import { originProblem, recordContent, recordLink, removedRecord, type SignedRecord } from '../../../core/audit/audit.ts';
import { provenOf } from '../../../core/audit/audit-check.ts';
import type { AuditStore, StoredRecord } from '../../../core/audit/audit-store.ts';
import { type AskedOnce, decisionKinds, RecordedQuestions } from '../../../core/audit/decision-events.ts';
import type { Trust } from '../../../core/messages/sender.ts';

/** Number of signatures checked before the desk's other work gets its turn. */
const provenAtOnce = 25;
/** Many people look at it, and it changes slowly. */
const rememberedMs = 5_000;
/** A record reaches the store some time after it was made: this much of what was already read is read again. */
const lateMs = 10 * 60_000;
/** Everything is read again at this interval, for records that came even later. */
const anewMs = 3_600_000;

/** What was read, and up to which point. */
interface Reading {
  readonly begunAt: number;
  readonly told: RecordedQuestions;
  /** Hash over the signed content of each record that counts, so that each is proven and counted once. */
  readonly known: Set<string>;
  /** One record per key: proven records stay proven as long as their key is trusted. */
  readonly samples: Map<string, SignedRecord>;
  /** Start of the last look. */
  readTo: number;
}

/**
 * The questions of the last days, from their records: each look reads what was added since the previous one. Keeps only what is counted of a question, not its
 * plans and texts.
 */
export class QuestionsOnRecord {
  readonly #store: Pick<AuditStore, 'eachOfKinds'>;
  readonly #trust: Trust;
  readonly #keptMs: number;
  readonly #now: () => number;
  #reading: Reading | undefined;
  #look: { readonly at: number; readonly made: Promise<readonly AskedOnce[]>; isOver: boolean } | undefined;

  constructor(parts: {
    readonly store: Pick<AuditStore, 'eachOfKinds'>;
    readonly trust: Trust;
    /** Milliseconds that questions are kept. */
    readonly keptMs: number;
    readonly now: () => number;
  }) {
    this.#store = parts.store;
    this.#trust = parts.trust;
    this.#keptMs = parts.keptMs;
    this.#now = parts.now;
  }

  read(): Promise<readonly AskedOnce[]> {
    if (this.#look && (!this.#look.isOver || this.#now() - this.#look.at <= rememberedMs)) return this.#look.made;
    const look = { at: this.#now(), made: this.#readNew(), isOver: false };
    this.#look = look;
    look.made.then(
      () => {
        look.isOver = true;
      },
      () => {
        if (this.#look === look) this.#look = undefined;
      },
    );
    return look.made;
  }

  async #readNew(): Promise<readonly AskedOnce[]> {
    const now = this.#now();
    const before = this.#reading;
    const isBelieved = before && [...before.samples.values()].every((sample) => originProblem(sample, this.#trust) === undefined);
    const proven: ReadonlySet<string> = isBelieved ? before.known : new Set();
    const isNew = isBelieved && now - before.begunAt < anewMs;
    const reading = isNew
      ? before
      : { begunAt: now, told: new RecordedQuestions(), known: new Set<string>(), samples: new Map(), readTo: 0 };
    const since = new Date(Math.max(now - this.#keptMs, reading.readTo - lateMs)).toISOString();
    for await (const rows of this.#store.eachOfKinds({ kinds: decisionKinds, since }))
      for (let start = 0; start < rows.length; start += provenAtOnce) {
        for (const row of rows.slice(start, start + provenAtOnce)) this.#take(row, reading, proven);
        await setImmediate();
      }
    reading.readTo = now;
    this.#reading = reading;
    return reading.told.all().filter(({ askedAt }) => askedAt >= now - this.#keptMs);
  }

  #take(row: StoredRecord, { told, known, samples }: Reading, proven: ReadonlySet<string>): void {
    const { signed } = row;
    if (!signed) return;
    const link = recordLink(signed);
    // A copy, or already read.
    if (known.has(link)) return;
    if (!proven.has(link) && provenOf([row], this.#trust).records.length === 0) return;
    known.add(link);
    if (!samples.has(signed.keyId)) samples.set(signed.keyId, withoutContent(signed));
    told.add(signed.record);
  }
}

/** The signature covers only the hash of the content. */
function withoutContent(signed: SignedRecord): SignedRecord {
  return { ...signed, record: removedRecord(signed.record), removed: recordContent(signed) };
}
