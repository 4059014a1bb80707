import { stewardsChain } from '../people/stewards.ts';
import { isObject } from '../text/plain-json.ts';
import { type AuditRecord, genesisHash, originOf, recordHash, type SignedRecord } from './audit.ts';
import type { StoredRecord } from './audit-store.ts';
import { GrowingRoot, leafHash } from './merkle.ts';

/**
 * Classes of records by retention. `unanswered`: incidents that no playbook answered and about which nobody was asked; `incidents`: those that playbooks
 * answered by themselves; `decisions`: those about which people were asked, and those that did not close; `journals`: what desks record about themselves.
 */
const recordClasses = ['unanswered', 'incidents', 'decisions', 'journals'] as const;
type RecordClass = (typeof recordClasses)[number];

/** Days for which each class is kept, counted from when the notary vouched for its last record. Absent: for ever. */
type RecordDays = Readonly<Partial<Record<RecordClass, number>>>;

export interface RecordRetention {
  readonly days: RecordDays;
  /** The settings that applied to cuts until then (ISO 8601, UTC): those cuts are judged by them. */
  readonly earlier: readonly { readonly until: string; readonly days: RecordDays }[];
}

/** Returns the settings that applied at that time (ISO 8601, UTC). */
export function daysAt({ days, earlier }: RecordRetention, at: string): RecordDays {
  const then = earlier.filter(({ until }) => at < until).sort((one, other) => (one.until < other.until ? -1 : 1));
  return then[0]?.days ?? days;
}

/** Who was asked about an incident: stored in its closing record, since the rest is gone after a cut. */
export const answeredBy = ['nobody', 'playbooks', 'people'] as const;
export type AnsweredBy = (typeof answeredBy)[number];

const classOfAnswer: Readonly<Record<AnsweredBy, RecordClass>> = {
  nobody: 'unanswered',
  playbooks: 'incidents',
  people: 'decisions',
};

/**
 * The chain in which desks record cuts: one for all desks, so that none cuts what another has cut. No cluster's journal has this name. It is never cut itself.
 */
export const cutsChain = 'desk/all/retention';

/** Returns the class by the last record of what is cut. Undefined: never cut, such as decisions above all incidents, holds, cuts, and who the stewards are. */
export function classOf({ chain, kind, body }: Pick<AuditRecord, 'chain' | 'kind' | 'body'>): RecordClass | undefined {
  if (chain === cutsChain || chain === stewardsChain || chain.startsWith('control/')) return undefined;
  const origin = originOf(chain);
  if (!origin) return undefined;
  if (origin.role === 'desk') return 'journals';
  const answered = kind === 'incident.closed' ? answeredBy.find((one) => one === body.answered) : undefined;
  return answered === undefined ? 'decisions' : classOfAnswer[answered];
}

export const cutKind = 'records.cut';

/** The beginning of a chain, or all of it, that is no longer kept. The record of the cut stays for ever. */
export interface RecordCut {
  readonly chain: string;
  /** Places, both inclusive: an earlier cut ends where this one begins. */
  readonly from: number;
  readonly to: number;
  /** Hash of the row before the first one; 64 zeros at the beginning of the chain. */
  readonly before: string;
  /** Hash of the last one, which the notary has signed in this checkpoint: the next row is linked to it. */
  readonly after: string;
  readonly checkpoint: number;
  /** Root of the tree (RFC 9162) over the hashes of all rows: anyone who has the rows from elsewhere, such as from a bundle, can show that they are these. */
  readonly root: string;
  readonly class: RecordClass;
  /** As set by the configuration that ordered it. */
  readonly days: number;
  /** The last record, as its maker signed it, and the hash before it: it shows the class of all the records. */
  readonly last: SignedRecord;
  readonly lastPrevious: string;
}

/** Returns the body of its record. */
export function cutBody(cut: RecordCut): Readonly<Record<string, unknown>> {
  const { chain, from, to, days } = cut;
  const count = to - from + 1;
  return { text: `${count} records of ${chain} are no longer kept (${cut.class}, ${days} days)`, count, cut };
}

/** Consecutive rows, some at a time: for any number of rows it only holds the first and the last. */
export class CutRows {
  readonly #root = new GrowingRoot();
  #first: Pick<StoredRecord, 'place' | 'previous'> | undefined;
  #last: StoredRecord | undefined;

  add(rows: readonly StoredRecord[]): void {
    for (const row of rows) {
      this.#first ??= { place: row.place, previous: row.previous };
      this.#last = row;
      this.#root.add(leafHash(row.hash));
    }
  }

  get count(): number {
    return this.#root.size;
  }

  /** Returns whether they are the rows that a cut names. */
  are({ from, to, before, root }: Pick<RecordCut, 'from' | 'to' | 'before' | 'root'>): boolean {
    const isWhole = this.count === to - from + 1 && this.#first?.place === from && this.#first.previous === before;
    return isWhole && this.#root.root() === root;
  }

  /** Returns the cut of these rows, if they were found to be complete. */
  cut({ checkpoint, days, ...by }: Pick<RecordCut, 'checkpoint' | 'class' | 'days'>): RecordCut | undefined {
    const [first, last] = [this.#first, this.#last];
    if (!first || !last?.signed) return undefined;
    return {
      ...{ chain: last.chain, from: first.place, to: last.place, before: first.previous, after: last.hash, checkpoint },
      ...{ root: this.#root.root(), class: by.class, days, last: last.signed, lastPrevious: last.previous },
    };
  }
}

/** Reads the content of a cut's record; undefined for any other shape. */
export function cutIn({ kind, body }: Pick<AuditRecord, 'kind' | 'body'>): RecordCut | undefined {
  return kind === cutKind && isCut(body.cut) ? body.cut : undefined;
}

function isCut(value: unknown): value is RecordCut {
  if (!isObject(value) || !isSigned(value.last)) return false;
  const { chain, from, to, before, after, checkpoint, root, days, lastPrevious } = value;
  return (
    [chain, before, after, root, lastPrevious].every((text) => typeof text === 'string') &&
    [from, to, checkpoint, days].every(Number.isSafeInteger) &&
    recordClasses.some((one) => one === value.class)
  );
}

function isSigned(value: unknown): value is SignedRecord {
  if (!isObject(value) || !isObject(value.record)) return false;
  if (value.removed !== undefined && !(typeof value.removed === 'string' && /^[0-9a-f]{64}$/.test(value.removed))) return false;
  const { chain, number, at, kind, actor, body } = value.record;
  return (
    [value.keyId, value.follows, value.salt, value.signature, chain, at, kind, actor].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(number) &&
    isObject(body)
  );
}

/** Returns why its statements about itself are inconsistent; undefined if they are not. `previous`: the cut of this chain before it. */
export function problemOfCut(cut: RecordCut, previous: Pick<RecordCut, 'to' | 'after'> | undefined): string | undefined {
  const { chain, from, to, before, after, last, lastPrevious } = cut;
  if (from !== (previous?.to ?? 0) + 1 || before !== (previous?.after ?? genesisHash) || to < from)
    return 'does not begin where the previous cut ends';
  if (last.record.chain !== chain || last.record.number !== to || recordHash(last, lastPrevious) !== after)
    return 'does not name the last record that it cuts';
  if (cut.class !== classOf(last.record)) return `claims the class ${cut.class}, which its last record does not have`;
  return undefined;
}
