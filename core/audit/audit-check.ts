import type { Trust } from '../messages/sender.ts';
import { canonicalJson } from '../text/digest.ts';
import { type AuditRecord, type ChainHead, genesisHash, OriginCheck, recordHash, type SignedRecord } from './audit.ts';
import { type Finding, numbers } from './audit-report.ts';
import type { StoredChain, StoredRecord } from './audit-store.ts';
import type { RecordCut } from './record-cut.ts';

/** A head that a genuine checkpoint names. */
export interface StatedHead extends ChainHead {
  readonly checkpoint: number;
}

/**
 * Compares one chain's rows with their own hashes, with what checkpoints state of it (`stated`: by number, from low to high), and
 * with the keys of those whose chain it is.
 */
export function checkChain({
  chain,
  stored,
  stated,
  trust,
  verifiedBy = 0,
  cuts = [],
}: {
  readonly chain: string;
  readonly stored: StoredChain;
  readonly stated: readonly StatedHead[];
  readonly trust: Trust;
  /** The checkpoint up to which all signatures were checked before. */
  readonly verifiedBy?: number;
  /** What was proven to be cut of it, from low to high. */
  readonly cuts?: readonly Pick<RecordCut, 'to' | 'after'>[];
}): CheckedChain {
  const last = stated.at(-1);
  const begin = beginOf(stored.records, cuts);
  if (stored.records.length === 0 && last && last.number > begin.number) {
    const missing = { number: begin.number + 1, to: last.number };
    const text = `${chain} is gone: checkpoint ${last.checkpoint} vouches for ${numbers(missing.number, missing.to)}`;
    const finding: Finding = { kind: 'chain-missing', chain, ...missing, checkpoint: last.checkpoint, text };
    return { findings: [finding], genuine: [], cutTo: begin.number };
  }
  const rows = checkRows(chain, stored.records, begin);
  const rewritten = checkStated(chain, stored.records, stated);
  // Only what fits in every hash is what was checked before.
  const isSame = rows.findings.length === 0 && rewritten.length === 0;
  const checkedTo = isSame ? (stated.findLast(({ checkpoint }) => checkpoint <= verifiedBy)?.number ?? 0) : 0;
  const origin = checkOrigin({ chain, rows: stored.records, trust, checkedTo, cutTo: begin.number });
  // A row that was taken out lacks in both ways of counting: it is named once.
  const isMissing = rows.findings.some(({ kind }) => kind === 'record-missing');
  const findings = [
    ...rows.findings,
    ...rewritten,
    ...checkEnd({ chain, stored, last, ...rows }),
    ...origin.findings.filter(({ kind }) => kind !== 'record-missing' || !isMissing),
  ];
  return { findings, genuine: origin.genuine, cutTo: begin.number };
}

/** What the first row has to follow from: what was cut before it, or nothing. */
function beginOf(rows: readonly StoredRecord[], cuts: readonly Pick<RecordCut, 'to' | 'after'>[]): Begin {
  const [first] = rows;
  const cut = first ? cuts.findLast(({ to }) => to < first.place) : cuts.at(-1);
  return cut ? { number: cut.to, hash: cut.after } : { number: 0, hash: genesisHash };
}

type Begin = Pick<ChainHead, 'number' | 'hash'>;

export interface CheckedChain {
  readonly findings: readonly Finding[];
  /** The place up to which rows are gone by a cut; 0: none. */
  readonly cutTo: number;
  /** Records whose signature shows whose they are, by place. */
  readonly genuine: readonly SignedRecord[];
}

/** What may be counted or shown of rows that anybody with the database's password can have written. */
export interface ProvenRecords {
  readonly records: readonly AuditRecord[];
  /** Rows that their chain's own cell or desk has not signed, and copies of others. */
  readonly leftOut: number;
}

/** The records that their chain's own cell or desk has signed, each once. */
export function provenOf(rows: readonly StoredRecord[], trust: Trust): ProvenRecords {
  const problems = originProblems(rows, trust);
  const proven = new Map<string, AuditRecord>();
  for (const [index, { signed }] of rows.entries())
    if (signed && problems[index] === undefined) {
      const { chain, number } = signed.record;
      proven.set(JSON.stringify([chain, number, signed.signature]), signed.record);
    }
  return { records: [...proven.values()], leftOut: rows.length - proven.size };
}

/** As `originProblem`, of each row; the rows of a chain stand in its order. */
export function originProblems(rows: readonly StoredRecord[], trust: Trust): readonly (string | undefined)[] {
  const check = new OriginCheck(trust);
  return rows
    .toReversed()
    .map(({ signed }) => (signed ? check.problemOf(signed) : 'is no record'))
    .reverse();
}

/** Whose records these are, and whether their makers' own numbers are all there, each once. */
function checkOrigin({
  chain,
  rows,
  trust,
  checkedTo,
  cutTo,
}: {
  readonly chain: string;
  readonly rows: readonly StoredRecord[];
  readonly trust: Trust;
  /** The last place whose signature was checked before. */
  readonly checkedTo: number;
  readonly cutTo: number;
}): Pick<CheckedChain, 'findings' | 'genuine'> {
  const findings: Finding[] = [];
  const genuine: SignedRecord[] = [];
  const seen = new Map<number, SignedRecord | undefined>();
  const unchecked = rows.filter(({ place }) => place > checkedTo);
  const problems = new Map(originProblems(unchecked, trust).map((problem, index) => [unchecked[index], problem]));
  for (const row of rows) {
    const { place, signed } = row;
    if (!signed) continue;
    const { number } = signed.record;
    const problem = problems.get(row);
    if (problem !== undefined) {
      // Its number counts as seen: what is missing there is named by this finding.
      seen.set(number, seen.get(number));
      const which = number === place ? `record ${number}` : `record ${number} (row ${place})`;
      findings.push({ kind: 'record-forged', chain, number: place, text: `${chain} ${which} ${problem}` });
      continue;
    }
    const known = seen.get(number);
    if (known) {
      // A copy is no record that its maker has made: it may stand where one was that no checkpoint names yet.
      const isCopy = canonicalJson(known.record) === canonicalJson(signed.record);
      const text = isCopy
        ? `${chain} has the record ${number} twice: row ${place} is a copy, perhaps in place of one that is gone`
        : `${chain} has two records with the number ${number}, both signed by their maker: the second is row ${place}`;
      findings.push({ kind: 'record-doubled', chain, number: place, text });
    }
    seen.set(number, known ?? signed);
    genuine.push(signed);
  }
  return { findings: [...findings, ...missingIn(chain, seen, cutTo)], genuine };
}

function missingIn(chain: string, seen: ReadonlyMap<number, unknown>, cutTo: number): readonly Finding[] {
  const findings: Finding[] = [];
  let before = cutTo;
  for (const number of [...seen.keys()].filter((one) => one > cutTo).sort((a, b) => a - b)) {
    if (number > before + 1) {
      const missing = { number: before + 1, to: number - 1 };
      findings.push({ kind: 'record-missing', chain, ...missing, text: `${chain} lacks ${numbers(missing.number, missing.to)}` });
    }
    before = number;
  }
  return findings;
}

interface CheckedRows {
  readonly findings: readonly Finding[];
  /** Number and hash of the last row. */
  readonly end: number;
  readonly endHash: string;
}

function checkRows(chain: string, rows: readonly StoredRecord[], begin: Begin): CheckedRows {
  const findings: Finding[] = [];
  let end = begin.number;
  let endHash = begin.hash;
  for (const row of rows) {
    const { place: number, signed } = row;
    if (number <= end) {
      findings.push({ kind: 'record-inserted', chain, number, text: `${chain} has a row with the number ${number}` });
      continue;
    }
    if (number > end + 1) {
      const missing = { number: end + 1, to: number - 1 };
      findings.push({ kind: 'record-missing', chain, ...missing, text: `${chain} lacks ${numbers(missing.number, missing.to)}` });
    } else if (row.previous !== endHash) {
      const text = `${chain} record ${number} does not follow from the one before it`;
      findings.push({ kind: 'record-unlinked', chain, number, text });
    }
    if (!signed || recordHash(signed, row.previous) !== row.hash) {
      findings.push({ kind: 'record-changed', chain, number, text: `${chain} record ${number} is not what its hash says` });
    }
    end = number;
    endHash = row.hash;
  }
  return { findings, end, endHash };
}

/** Only the first difference: all that follows differs for the same reason. */
function checkStated(chain: string, rows: readonly StoredRecord[], stated: readonly StatedHead[]): readonly Finding[] {
  const hashes = new Map(rows.map(({ place, hash }) => [place, hash]));
  let agreed = 0;
  for (const { number, hash, checkpoint } of stated) {
    const found = hashes.get(number);
    if (found === hash) agreed = number;
    else if (found !== undefined) {
      const text = `${chain}, among ${numbers(agreed + 1, number)}: the hash at ${number} is not the one in checkpoint ${checkpoint}`;
      return [{ kind: 'records-rewritten', chain, number: agreed + 1, to: number, checkpoint, text }];
    }
  }
  return [];
}

function checkEnd({
  chain,
  stored,
  last,
  end,
  endHash,
}: {
  readonly chain: string;
  readonly stored: StoredChain;
  readonly last: StatedHead | undefined;
  readonly end: number;
  readonly endHash: string;
}): readonly Finding[] {
  const { head } = stored;
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
