import type { Trust } from '../messages/sender.ts';
import {
  type AuditRecord,
  type ChainHead,
  genesisHash,
  OriginCheck,
  recordContent,
  recordHash,
  recordLink,
  type SignedRecord,
} from './audit.ts';
import { type Finding, numbers } from './audit-report.ts';
import type { RecordProof, StoredChain, StoredRecord } from './audit-store.ts';
import { headsDigest, type StatedHead } from './head-history.ts';
import type { RecordCut } from './record-cut.ts';
import { RecordResets } from './resets/record-resets.ts';

/**
 * Compares one chain's rows with their own hashes, with the heads that checkpoints state (`stated`: by number, ascending), and with the keys of the chain's
 * maker.
 */
export function checkChain({
  stored,
  ...about
}: ChainAbout & { readonly stored: StoredChain }): CheckedChain & { readonly genuine: readonly SignedRecord[] } {
  const check = new ChainCheck(about);
  const genuine = check.add(stored.records);
  return { ...check.finish(stored.head), genuine };
}

interface ChainAbout {
  readonly chain: string;
  readonly stated: readonly StatedHead[];
  /** `headsDigest` over the heads, if not every head has its hash. */
  readonly digest?: string | undefined;
  readonly trust: Trust;
  /** The proven cuts of the chain, ascending. */
  readonly cuts?: readonly Pick<RecordCut, 'to' | 'after'>[];
  /** Numbers of records whose content two people have had removed. */
  readonly removals?: ReadonlySet<number>;
}

export interface CheckedChain {
  readonly findings: readonly Finding[];
  /** The place up to which rows were deleted by a cut; 0: none. */
  readonly cutTo: number;
  /** The place of the last row. */
  readonly end: number;
  /** Numbers of the records whose content was removed by order. */
  readonly removed: readonly number[];
  /** What people should know, and no fault. */
  readonly notes: readonly string[];
}

/** The same check, some rows at a time: for a chain of any length it only holds the findings and the rows it was just given. */
export class ChainCheck {
  readonly #about: ChainAbout;
  readonly #rows: RowCheck;
  readonly #stated: StatedCheck;
  readonly #origin: OwnNumbers;
  #begin: Begin | undefined;

  constructor(about: ChainAbout) {
    this.#about = about;
    this.#rows = new RowCheck(about.chain);
    this.#stated = new StatedCheck(about);
    this.#origin = new OwnNumbers(about.chain, about.removals);
  }

  /** Adds the next rows, by place. Returns the records whose signature proves their origin. */
  add(rows: readonly StoredRecord[]): readonly SignedRecord[] {
    const [first] = rows;
    if (!first) return [];
    if (!this.#begin) this.#rows.startAt(this.#beginAt(first));
    const links = rows.map(({ signed }) => signed && recordLink(signed));
    const problems = originProblems(rows, this.#about.trust, links);
    return rows.flatMap((row, index) => {
      this.#rows.add(row, links[index]);
      this.#stated.add(row);
      const { place, signed } = row;
      return signed && this.#origin.add(place, signed, problems[index]) ? signed : [];
    });
  }

  finish(head: ChainHead | undefined): CheckedChain {
    const { chain, stated } = this.#about;
    const last = stated.at(-1);
    const begin = this.#begin ?? this.#beginAt(undefined);
    const { end, endHash, isEmpty } = this.#rows;
    const origin = this.#origin.finish(begin.number);
    const about = { cutTo: begin.number, end: isEmpty ? 0 : end, removed: this.#origin.removed, notes: origin.notes };
    if (isEmpty && last && last.number > begin.number) {
      const missing = { number: begin.number + 1, to: last.number };
      const text = `${chain} is gone: checkpoint ${last.checkpoint} vouches for ${numbers(missing.number, missing.to)}`;
      return { findings: [{ kind: 'chain-missing', chain, ...missing, checkpoint: last.checkpoint, text }], ...about };
    }
    const stored = isEmpty ? begin : { number: end, hash: endHash };
    // A deleted row is missing in both numberings: report it once.
    const isMissing = this.#rows.findings.some(({ kind }) => kind === 'record-missing');
    const findings = [
      ...this.#rows.findings,
      ...(isEmpty ? [] : this.#stated.finish()),
      ...checkEnd({ chain, head, last, end: stored.number, endHash: stored.hash }),
      ...origin.findings.filter(({ kind }) => kind !== 'record-missing' || !isMissing),
    ];
    return { findings, ...about };
  }

  /** Returns what the first row must follow: the cut before it, or nothing. */
  #beginAt(first: StoredRecord | undefined): Begin {
    const { cuts = [] } = this.#about;
    const cut = first ? cuts.findLast(({ to }) => to < first.place) : cuts.at(-1);
    this.#begin = cut ? { number: cut.to, hash: cut.after } : { number: 0, hash: genesisHash };
    return this.#begin;
  }
}

type Begin = Pick<ChainHead, 'number' | 'hash'>;

/** What may be counted or shown from rows that anybody with the database's password could have written. */
interface ProvenRecords {
  readonly records: readonly AuditRecord[];
  /** Rows not signed by their chain's own cell or desk, and copies of other rows. */
  readonly leftOut: number;
}

/** Returns the records signed by their chain's own cell or desk, each once. */
export function provenOf(rows: readonly StoredRecord[], trust: Trust): ProvenRecords {
  const proven = provenRows(rows, trust);
  return { records: [...proven.values()], leftOut: rows.length - proven.size };
}

/** Returns each proven record by a key that its copies share. */
export function provenRows(rows: readonly RecordProof[], trust: Trust): ReadonlyMap<string, AuditRecord> {
  const problems = originProblems(rows, trust);
  const proven = new Map<string, AuditRecord>();
  for (const [index, { signed }] of rows.entries())
    if (signed && problems[index] === undefined) {
      const { chain, number } = signed.record;
      proven.set(JSON.stringify([chain, number, signed.signature]), signed.record);
    }
  return proven;
}

/**
 * The same for rare records, from rows that come by time, some at once. Anybody with the database's password can have written any number of rows, so only
 * proven ones are held.
 */
export async function provenIn(pages: AsyncIterable<readonly StoredRecord[]>, trust: Trust): Promise<ProvenRecords> {
  const records: AuditRecord[] = [];
  const leftOut = await takeProven(pages, trust, (record) => records.push(record));
  return { records, leftOut };
}

/** Passes each proven record to `take`, from rows that come by time, some at once. Returns how many rows were left out. */
export async function takeProven(
  pages: AsyncIterable<readonly StoredRecord[]>,
  trust: Trust,
  take: (record: AuditRecord) => void,
): Promise<number> {
  let rows = 0;
  let taken = 0;
  let time = '';
  /** Records with the last time: a copy has the same time. */
  const seen = new Set<string>();
  for await (const page of pages) {
    rows += page.length;
    for (const [key, record] of provenRows(page, trust)) {
      if (record.at !== time) seen.clear();
      time = record.at;
      if (seen.has(key)) continue;
      seen.add(key);
      taken += 1;
      take(record);
    }
  }
  return rows - taken;
}

/** As `originProblem`, for each row; the rows of a chain must be in its order. */
export function originProblems(
  rows: readonly RecordProof[],
  trust: Trust,
  links: readonly (string | undefined)[] = [],
): readonly (string | undefined)[] {
  const check = new OriginCheck(trust);
  const problems = rows.map((): string | undefined => undefined);
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const signed = rows[at]?.signed;
    problems[at] = signed ? check.problemOf(signed, links[at]) : 'is no record';
  }
  return problems;
}

/** Checks that their makers' own numbers are all there, each once. */
class OwnNumbers {
  readonly #chain: string;
  readonly #findings: Finding[] = [];
  /** All numbers found, whoever wrote them: a false record reports the missing one already. */
  readonly #there = new NumberSpans();
  readonly #genuine = new NumberSpans();
  /** Digests of the most recent numbers, to compare with further records of the same number. */
  readonly #recent = new Map<number, Set<string>>();
  readonly #resets: RecordResets;

  /** Numbers of records whose content was removed by order. */
  readonly removed: number[] = [];
  readonly #removals: ReadonlySet<number>;

  constructor(chain: string, removals: ReadonlySet<number> = new Set()) {
    this.#chain = chain;
    this.#removals = removals;
    this.#resets = new RecordResets(chain);
  }

  /** Returns whether the record is its maker's. */
  add(place: number, signed: SignedRecord, problem: string | undefined): boolean {
    const chain = this.#chain;
    const { number } = signed.record;
    this.#there.add(number);
    if (problem !== undefined) {
      const which = number === place ? `record ${number}` : `record ${number} (row ${place})`;
      this.#findings.push({ kind: 'record-forged', chain, number: place, text: `${chain} ${which} ${problem}` });
      return false;
    }
    if (signed.removed !== undefined && this.#removals.has(number)) this.removed.push(number);
    else if (signed.removed !== undefined) {
      const text = `${chain} record ${number} has lost its content, and no two people ordered its removal`;
      this.#findings.push({ kind: 'content-removed', chain, number: place, text });
    }
    const digest = recordContent(signed);
    const known = this.#recent.get(number);
    this.#resets.see(signed);
    if (!this.#genuine.has(number)) this.#remember(number, new Set([digest]));
    else if (known === undefined || known.has(digest)) {
      // A copy is not a record that its maker made: it may have replaced one that no checkpoint names yet.
      const text = known
        ? `${chain} has the record ${number} twice: row ${place} is a copy, perhaps in place of a missing record`
        : `${chain} has the number ${number} twice: the second is row ${place}`;
      this.#findings.push({ kind: 'record-doubled', chain, number: place, text });
    } else {
      known.add(digest);
      this.#resets.twice(number, place);
    }
    this.#genuine.add(number);
    return true;
  }

  /** @param cutTo the place up to which rows were deleted by a cut */
  finish(cutTo: number): { readonly findings: readonly Finding[]; readonly notes: readonly string[] } {
    const chain = this.#chain;
    const missing = this.#there.gapsAfter(cutTo).map(([number, to]): Finding => {
      return { kind: 'record-missing', chain, number, to, text: `${chain} lacks ${numbers(number, to)}` };
    });
    const { unexplained, notes } = this.#resets.finish();
    const doubled = unexplained.map(({ number, place }): Finding => {
      const text = `${chain} has two records with the number ${number}, both signed by their maker: the second is row ${place}`;
      return { kind: 'record-doubled', chain, number: place, text };
    });
    return { findings: [...this.#findings, ...doubled, ...missing], notes };
  }

  #remember(number: number, digests: Set<string>): void {
    this.#recent.set(number, digests);
    const [oldest] = this.#recent.size > mostRecent ? this.#recent.keys() : [];
    if (oldest !== undefined) this.#recent.delete(oldest);
  }
}

const mostRecent = 1_000;

/** Whole numbers, stored as spans: those of a sound chain are a single span. */
class NumberSpans {
  /** First and last number of each, ascending. */
  readonly #spans: [number, number][] = [];

  has(number: number): boolean {
    const last = this.#spans.at(-1);
    if (!last || number > last[1]) return false;
    const span = this.#spans.findLast(([from]) => from <= number);
    return span !== undefined && number <= span[1];
  }

  add(number: number): void {
    const last = this.#spans.at(-1);
    if (last && number === last[1] + 1) {
      last[1] = number;
      return;
    }
    if (this.has(number)) return;
    const after = this.#spans.findLastIndex(([from]) => from <= number);
    const [before, next] = [this.#spans[after], this.#spans[after + 1]];
    const isNext = before?.[1] === number - 1;
    if (before && isNext) before[1] = number;
    else this.#spans.splice(after + 1, 0, [number, number]);
    if (next?.[0] !== number + 1) return;
    const at = isNext ? after : after + 1;
    const grown = this.#spans[at];
    if (grown) grown[1] = next[1];
    this.#spans.splice(at + 1, 1);
  }

  /** Returns the gaps between that number and the highest. */
  gapsAfter(start: number): readonly (readonly [from: number, to: number])[] {
    const gaps: [number, number][] = [];
    let before = start;
    for (const [from, to] of this.#spans) {
      if (to <= start) continue;
      if (from > before + 1) gaps.push([before + 1, from - 1]);
      before = to;
    }
    return gaps;
  }
}

/** Checks that each row follows from the one before it, and matches its hash. */
class RowCheck {
  readonly #chain: string;
  readonly findings: Finding[] = [];
  /** Number and hash of the last row. */
  end = 0;
  endHash = genesisHash;
  isEmpty = true;

  constructor(chain: string) {
    this.#chain = chain;
  }

  startAt({ number, hash }: Begin): void {
    this.end = number;
    this.endHash = hash;
  }

  /** @param link of what is signed */
  add({ place: number, previous, hash, signed }: StoredRecord, link: string | undefined): void {
    const chain = this.#chain;
    this.isEmpty = false;
    if (number <= this.end) {
      this.findings.push({ kind: 'record-inserted', chain, number, text: `${chain} has a row with the number ${number}` });
      return;
    }
    if (number > this.end + 1) {
      const missing = { number: this.end + 1, to: number - 1 };
      const text = `${chain} lacks ${numbers(missing.number, missing.to)}`;
      this.findings.push({ kind: 'record-missing', chain, ...missing, text });
    } else if (previous !== this.endHash) {
      const text = `${chain} record ${number} does not follow from the one before it`;
      this.findings.push({ kind: 'record-unlinked', chain, number, text });
    }
    if (!signed || recordHash(signed, previous, link) !== hash) {
      const text = `${chain} record ${number} does not match its hash`;
      this.findings.push({ kind: 'record-changed', chain, number, text });
    }
    this.end = number;
    this.endHash = hash;
  }
}

/** Checks that rows have the hashes that checkpoints name. Reports only the first difference: all later ones have the same cause. */
class StatedCheck {
  readonly #about: Pick<ChainAbout, 'chain' | 'stated' | 'digest'>;
  #finding: Finding | undefined;
  #next = 0;
  #agreed = 0;
  /** Digest over the hashes of the stated rows. */
  #digest = '';

  constructor(about: Pick<ChainAbout, 'chain' | 'stated' | 'digest'>) {
    this.#about = about;
  }

  add({ place, hash }: StoredRecord): void {
    const { stated, digest } = this.#about;
    for (let head = stated[this.#next]; head && head.number <= place; head = stated[this.#next]) {
      this.#next += 1;
      if (head.number < place || this.#finding) continue;
      if (digest !== undefined) this.#digest = headsDigest(this.#digest, hash);
      if (head.hash === hash) this.#agreed = head.number;
      else if (head.hash !== undefined) {
        const { number, checkpoint } = head;
        const text = `the hash at ${number} is not the one in checkpoint ${checkpoint}`;
        this.#finding = this.#rewritten(this.#agreed + 1, head, text);
      }
    }
  }

  /** A digest only shows that one of them differs, not which. */
  finish(): readonly Finding[] {
    const { stated, digest } = this.#about;
    const last = stated.at(-1);
    const differs = last !== undefined && digest !== undefined && this.#digest !== digest;
    if (differs) this.#finding ??= this.#rewritten(1, last, 'one of the hashes differs from the one that checkpoints state');
    return this.#finding ? [this.#finding] : [];
  }

  #rewritten(from: number, { number, checkpoint }: StatedHead, what: string): Finding {
    const { chain } = this.#about;
    const text = `${chain}, among ${numbers(from, number)}: ${what}`;
    return { kind: 'records-rewritten', chain, number: from, to: number, checkpoint, text };
  }
}

function checkEnd({
  chain,
  head,
  last,
  end,
  endHash,
}: {
  readonly chain: string;
  readonly head: ChainHead | undefined;
  readonly last: StatedHead | undefined;
  readonly end: number;
  readonly endHash: string;
}): readonly Finding[] {
  if (last && last.number > end) {
    const text = `${chain} ends at ${end}, but checkpoint ${last.checkpoint} vouches for ${numbers(end + 1, last.number)}`;
    return [{ kind: 'records-cut', chain, number: end + 1, to: last.number, checkpoint: last.checkpoint, text }];
  }
  if (head && head.number > end) {
    const text = `${chain} ends at ${end}, but its head names ${numbers(end + 1, head.number)}`;
    return [{ kind: 'records-cut', chain, number: end + 1, to: head.number, text }];
  }
  if (head?.number === end && head.hash === endHash) return [];
  const text = `${chain} ends at ${end}, but its head ${head ? `names ${head.number} with the hash ${head.hash.slice(0, 12)}…` : 'is gone'}`;
  return [{ kind: 'head-changed', chain, number: end, text }];
}
