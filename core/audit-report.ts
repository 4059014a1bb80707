/** What a check of the audit store found. */
export type FindingKind =
  /** A record's content is not what its hash says. */
  | 'record-changed'
  /** A number is missing between others. */
  | 'record-missing'
  /** A row stands where no record can be. */
  | 'record-inserted'
  /** A record does not follow from the one before it. */
  | 'record-unlinked'
  /** The chain ends before what was stated about it. */
  | 'records-cut'
  /** The hashes fit together, but they are not those that the notary signed. */
  | 'records-rewritten'
  | 'chain-missing'
  | 'head-changed'
  | 'checkpoint-changed'
  | 'checkpoint-missing'
  | 'checkpoint-forged'
  | 'checkpoint-unlinked'
  | 'checkpoint-inconsistent'
  | 'anchor-changed'
  | 'anchor-missing';

export interface Finding {
  readonly kind: FindingKind;
  readonly chain?: string;
  /** The record it is about, the first one where there are several. */
  readonly number?: number;
  readonly to?: number;
  readonly checkpoint?: number;
  /** One sentence for people. */
  readonly text: string;
}

export interface AuditReport {
  /** Nothing was found. Says nothing about `notCovered`. */
  readonly ok: boolean;
  /** ISO 8601, UTC. */
  readonly checkedAt: string;
  readonly chains: number;
  readonly records: number;
  readonly checkpoints: number;
  readonly lastCheckpoint?: { readonly number: number; readonly at: string; readonly keyId: string };
  readonly anchor: string;
  readonly findings: readonly Finding[];
  /** Records that no checkpoint vouches for yet: a rewrite of these with fitting hashes would not be seen. */
  readonly notCovered: readonly { readonly chain: string; readonly from: number; readonly to: number }[];
  readonly notes: readonly string[];
}

const listedAtMost = 50;

/** The report as lines for people. */
export function describeReport(report: AuditReport): string[] {
  const { chains, records, checkpoints, lastCheckpoint, anchor, findings, notCovered, notes } = report;
  const last = lastCheckpoint
    ? `the last one ${lastCheckpoint.number} of ${lastCheckpoint.at}, key ${lastCheckpoint.keyId}`
    : 'none signed yet';
  return [
    report.ok ? 'The audit store is intact.' : `The audit store is NOT intact: ${counted(findings.length, 'finding')}.`,
    `Checked ${counted(records, 'record')} in ${counted(chains, 'chain')}, ${counted(checkpoints, 'checkpoint')} (${last}), against ${anchor}.`,
    ...listed(findings, ({ kind, text }) => `  ${kind}: ${text}`),
    ...(notCovered.length === 0 ? ['Every record is covered by a checkpoint.'] : ['Not covered by a checkpoint yet:']),
    ...listed(notCovered, ({ chain, from, to }) => `  ${chain} ${numbers(from, to)}`),
    ...notes.map((note) => `Note: ${note}`),
  ];
}

export function numbers(from: number, to: number): string {
  return from === to ? `record ${from}` : `records ${from} to ${to}`;
}

function listed<Item>(items: readonly Item[], line: (item: Item) => string): string[] {
  const lines = items.slice(0, listedAtMost).map(line);
  return items.length > listedAtMost ? [...lines, `  … and ${items.length - listedAtMost} more (--json lists all)`] : lines;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
