import type { Trust } from '../messages/sender.ts';
import { type AuditRecord, originProblem } from './audit.ts';
import { type Finding, numbers } from './audit-report.ts';
import type { StatedHead } from './head-history.ts';
import { cutIn, daysAt, problemOfCut, type RecordCut, type RecordRetention } from './record-cut.ts';
import { covers, type RecordHold, wasInForce } from './record-holds.ts';

/** What the notary has signed: cuts are judged by its times alone. */
export interface Vouched {
  /** Returns every stated head of a chain, ascending. */
  stated(chain: string): readonly StatedHead[];
  /** When a checkpoint was signed: ISO 8601, UTC. */
  timeOf(checkpoint: number): string | undefined;
}

/**
 * A cut proven by the notary's word, its last record and its place among the cuts of its chain. The record itself is dropped: there are as many cuts as
 * incidents.
 */
export interface ProvenCut extends Omit<RecordCut, 'last' | 'lastPrevious'> {
  /** The first checkpoint that vouches for its record; absent: none yet, and nothing may be deleted by it. */
  readonly vouchedBy?: number;
}

const dayMs = 86_400_000;

/** Returns the first checkpoint that vouches for a record. */
export function vouchedBy(vouched: Pick<Vouched, 'stated'>, chain: string, place: number): number | undefined {
  return vouched.stated(chain).find(({ number }) => number >= place)?.checkpoint;
}

interface CutJudgement {
  readonly vouched: Vouched;
  readonly trust: Trust;
  readonly retention: RecordRetention;
  readonly now: Date;
}

/**
 * Judges each cut on record: that it names what was there, as signed by the notary, and that it was old enough by the configuration. So nobody with a desk's
 * key and the database's password can cut anything that was not due to be cut anyway. An unproven cut does not count: what it names is missing.
 */
export class CutCheck {
  readonly #by: CutJudgement;
  /** By chain, ascending. */
  readonly cuts = new Map<string, ProvenCut[]>();
  readonly findings: Finding[] = [];
  /** Chains that have grown since they were cut: a hash is needed that is not their last one. */
  readonly unknown = new Set<string>();
  readonly #waiting: AuditRecord[] = [];

  constructor(by: CutJudgement) {
    this.#by = by;
  }

  /** Adds a record of the chain of cuts, signed by a desk, in order. */
  add(record: AuditRecord): void {
    const cut = cutIn(record);
    if (!cut) {
      this.#found(record, 'cut-forged', 'it does not name a cut');
      return;
    }
    const { chain, to } = cut;
    if (this.#by.vouched.stated(chain).some(({ number, hash }) => number === to && hash === undefined)) this.unknown.add(chain);
    if (this.unknown.has(chain)) this.#waiting.push(record);
    else this.#judge(record, cut);
  }

  /** Finishes the check, once every head of the `unknown` chains is known with its hash. */
  finish(): void {
    for (const record of this.#waiting) {
      const cut = cutIn(record);
      if (cut) this.#judge(record, cut);
    }
  }

  #judge(record: AuditRecord, cut: RecordCut): void {
    const { vouched, trust, retention, now } = this.#by;
    const before = this.cuts.get(cut.chain) ?? [];
    const about = `the cut of ${cut.chain}, ${numbers(cut.from, cut.to)},`;
    const stated = vouched.stated(cut.chain).find(({ number }) => number === cut.to);
    const by = vouchedBy(vouched, record.chain, record.number);
    const problem =
      problemOfCut(cut, before.at(-1)) ??
      (stated?.hash === cut.after && stated.checkpoint === cut.checkpoint
        ? undefined
        : 'covers records that the notary has not signed') ??
      originProblem(cut.last, trust) ??
      partProblem(cut, vouched, by);
    if (problem !== undefined) {
      this.#found(record, 'cut-forged', `${about} ${problem}`);
      return;
    }
    const { last: _, lastPrevious: __, ...kept } = cut;
    this.cuts.set(cut.chain, [...before, { ...kept, ...(by !== undefined && { vouchedBy: by }) }]);
    const early = earlyProblem({ cut, by, vouched, retention, now });
    if (early !== undefined) this.#found(record, 'cut-early', `${about} ${early}`);
  }

  #found({ chain, number }: AuditRecord, kind: Finding['kind'], text: string): void {
    this.findings.push({ kind, chain, number, text: `${chain} record ${number}: ${text}` });
  }
}

/** An incident is cut as a whole: its last record determines its class. Only a journal is cut from its beginning on. */
function partProblem({ chain, to, class: kind }: RecordCut, vouched: Vouched, by: number | undefined): string | undefined {
  if (kind === 'journals') return undefined;
  const later = vouched.stated(chain).find(({ number }) => number > to);
  return later && (by === undefined || later.checkpoint < by) ? `leaves ${numbers(to + 1, later.number)} uncut` : undefined;
}

function earlyProblem({
  cut,
  by,
  vouched,
  retention,
  now,
}: {
  readonly cut: RecordCut;
  readonly by: number | undefined;
  readonly vouched: Vouched;
  readonly retention: RecordRetention;
  readonly now: Date;
}): string | undefined {
  const cutAt = (by === undefined ? undefined : vouched.timeOf(by)) ?? now.toISOString();
  const days = daysAt(retention, cutAt)[cut.class];
  if (days === undefined) return `is not allowed: the configuration keeps ${cut.class} forever`;
  const age = Date.parse(cutAt) - Date.parse(vouched.timeOf(cut.checkpoint) ?? cutAt);
  return age >= days * dayMs
    ? undefined
    : `was made after ${Math.floor(age / dayMs)} days, but ${cut.class} are kept for ${days}`;
}

/** Returns the hold that should have kept the records of a cut that are now gone. */
export function heldBefore(cut: ProvenCut, vouched: Vouched, holds: readonly RecordHold[]): RecordHold | undefined {
  const { vouchedBy: by } = cut;
  if (by === undefined) return undefined;
  return holds.find((hold) => wasInForce(hold, by) && covers(hold, timesOf(cut, vouched)));
}

/** Of the places of a cut: the earliest is vouched for by the first checkpoint that names one of them. */
export function timesOf(
  { chain, from, checkpoint }: Pick<RecordCut, 'chain' | 'from' | 'checkpoint'>,
  vouched: Vouched,
): { readonly chain: string; readonly from: number; readonly until: number } {
  const first = vouchedBy(vouched, chain, from) ?? checkpoint;
  return { chain, from: Date.parse(vouched.timeOf(first) ?? ''), until: Date.parse(vouched.timeOf(checkpoint) ?? '') };
}
