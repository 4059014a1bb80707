import { setImmediate } from 'node:timers/promises';
import { originProblem, recordContent, recordLink, removedRecord, type SignedRecord } from '../../../core/audit/audit.ts';
import { provenOf } from '../../../core/audit/audit-check.ts';
import type { AuditStore, StoredRecord } from '../../../core/audit/audit-store.ts';
import { type AskedOnce, decisionKinds, RecordedQuestions } from '../../../core/audit/decision-events.ts';
import type { Trust } from '../../../core/messages/sender.ts';

/** What else the desk has to do waits for no more signatures than these. */
const provenAtOnce = 25;
/** Many look, and it changes slowly. */
const rememberedMs = 5_000;
/** A record comes into the store some time after it was made: so much of what was read is looked through again. */
const lateMs = 10 * 60_000;
/** All is read anew now and then: for what came later than that. */
const anewMs = 3_600_000;

/** What was read, and how far. */
interface Reading {
  readonly begunAt: number;
  readonly told: RecordedQuestions;
  /** What was signed of each record that counts, in a hash: each is proven once, and counted once. */
  readonly known: Set<string>;
  /** One of each key: a record that was proven is so as long as its key is believed. */
  readonly samples: Map<string, SignedRecord>;
  /** When the last look began. */
  readTo: number;
}

/** The questions of the last days, as their records tell them: each look reads what came since the one before. Of a question what is counted is kept, and none of its plans and texts. */
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
    /** Of how long. */
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
    // A copy, or read before.
    if (known.has(link)) return;
    if (!proven.has(link) && provenOf([row], this.#trust).records.length === 0) return;
    known.add(link);
    if (!samples.has(signed.keyId)) samples.set(signed.keyId, withoutContent(signed));
    told.add(signed.record);
  }
}

/** Its signature is over the hash of what it says. */
function withoutContent(signed: SignedRecord): SignedRecord {
  return { ...signed, record: removedRecord(signed.record), removed: recordContent(signed) };
}
