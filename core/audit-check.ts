import { type ChainHead, genesisHash, recordHash } from './audit.ts';
import { type Finding, numbers } from './audit-report.ts';
import type { StoredChain, StoredRecord } from './audit-store.ts';

/** A head that a genuine checkpoint names. */
export interface StatedHead extends ChainHead {
  readonly checkpoint: number;
}

/**
 * Compares one chain's rows with their own hashes and with what checkpoints state of it (`stated`: by number, from low to high).
 */
export function checkChain({
  chain,
  stored,
  stated,
}: {
  readonly chain: string;
  readonly stored: StoredChain;
  readonly stated: readonly StatedHead[];
}): readonly Finding[] {
  const last = stated.at(-1);
  if (stored.records.length === 0 && last) {
    const text = `${chain} is gone: checkpoint ${last.checkpoint} vouches for ${numbers(1, last.number)}`;
    return [{ kind: 'chain-missing', chain, number: 1, to: last.number, checkpoint: last.checkpoint, text }];
  }
  const rows = checkRows(chain, stored.records);
  return [...rows.findings, ...checkStated(chain, stored.records, stated), ...checkEnd({ chain, stored, last, ...rows })];
}

interface CheckedRows {
  readonly findings: readonly Finding[];
  /** Number and hash of the last row. */
  readonly end: number;
  readonly endHash: string;
}

function checkRows(chain: string, rows: readonly StoredRecord[]): CheckedRows {
  const findings: Finding[] = [];
  let end = 0;
  let endHash = genesisHash;
  for (const row of rows) {
    const { number } = row;
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
    if (!row.record || recordHash(row.record, row.previous) !== row.hash) {
      findings.push({ kind: 'record-changed', chain, number, text: `${chain} record ${number} is not what its hash says` });
    }
    end = number;
    endHash = row.hash;
  }
  return { findings, end, endHash };
}

/** Only the first difference: all that follows differs for the same reason. */
function checkStated(chain: string, rows: readonly StoredRecord[], stated: readonly StatedHead[]): readonly Finding[] {
  const hashes = new Map(rows.map(({ number, hash }) => [number, hash]));
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
