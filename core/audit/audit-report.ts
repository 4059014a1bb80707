/** What a check of the audit store found. */
export type FindingKind =
  /** A record's content is not what its hash says. */
  | 'record-changed'
  /** A number is missing between others. */
  | 'record-missing'
  /** It is not signed by the cell or desk whose chain it is in. */
  | 'record-forged'
  /** Its maker signed another record with the same number, too: Temporal set an incident back, or a key is in other hands. */
  | 'record-doubled'
  /** A row stands where no record can be. */
  | 'record-inserted'
  /** A record does not follow from the one before it. */
  | 'record-unlinked'
  /** The chain ends before what was stated about it. */
  | 'records-cut'
  /** The hashes fit together, but they are not those that the notary signed. */
  | 'records-rewritten'
  | 'chain-missing'
  /** A vote on record that its desk or person did not sign. */
  | 'vote-forged'
  /** An order, a proposal or a comment on record that its desk or person did not sign. */
  | 'order-forged'
  /** An order on record of somebody who was not allowed to give it then, as desks have it on record. */
  | 'order-unauthorised'
  /** A decision on record for which the votes on record do not suffice. */
  | 'decision-unproven'
  | 'head-changed'
  /** A record says that others were cut, which is not as it says. */
  | 'cut-forged'
  /** What was cut was to be kept for longer. */
  | 'cut-early'
  /** What was cut was held. */
  | 'cut-held'
  /** What a record said is gone, and no two people have ordered that. */
  | 'content-removed'
  /** It was removed by order, though a hold was on it, and is still. */
  | 'removal-held'
  | 'checkpoint-changed'
  | 'checkpoint-missing'
  | 'checkpoint-forged'
  | 'checkpoint-unlinked'
  | 'checkpoint-inconsistent'
  /** The newest is older than the notary lets it get, older than one that is remembered, or dated in the future. */
  | 'checkpoint-stale'
  | 'anchor-changed'
  | 'anchor-missing'
  /** The transparency log says something else than the checkpoints, or goes further: one of both was rolled back or made anew. */
  | 'log-forked'
  /** It is not signed with the notary's key. */
  | 'log-forged'
  /** A file of it is not what the checkpoints make of it. */
  | 'log-changed'
  /** It ends long before the checkpoints, or is not there. */
  | 'log-behind'
  /** A witness has refused to sign what it was shown. */
  | 'witness-refused'
  /** A witness has not signed for longer than the notary's checkpoints may be apart. */
  | 'witness-missing';

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
  /** Number and digest can be remembered elsewhere, for the next check: nobody can go back behind them. */
  readonly lastCheckpoint?: { readonly number: number; readonly at: string; readonly keyId: string; readonly digest: string };
  readonly anchor: string;
  /** What is gone by proven cuts, and how many cuts are ordered whose records are still there. */
  readonly cut: { readonly chains: number; readonly records: number; readonly ordered: number };
  /** How many records say nothing any more by order of two people, and how many such orders are not carried out. */
  readonly removed: { readonly records: number; readonly ordered: number };
  readonly findings: readonly Finding[];
  /** Records that no checkpoint vouches for yet: a rewrite of these with fitting hashes would not be seen. */
  readonly notCovered: readonly { readonly chain: string; readonly from: number; readonly to: number }[];
  readonly notes: readonly string[];
}

const listedAtMost = 50;

/** The report as lines for people. */
export function describeReport(report: AuditReport): string[] {
  const { chains, records, checkpoints, lastCheckpoint, anchor, cut, removed, findings, notCovered, notes } = report;
  const last = lastCheckpoint
    ? `the last one ${lastCheckpoint.number}:${lastCheckpoint.digest} of ${lastCheckpoint.at}, key ${lastCheckpoint.keyId}`
    : 'none signed yet';
  return [
    report.ok ? 'The audit store is intact.' : `The audit store is NOT intact: ${counted(findings.length, 'finding')}.`,
    `Checked ${counted(records, 'record')} in ${counted(chains, 'chain')}, ${counted(checkpoints, 'checkpoint')} (${last}), against ${anchor}.`,
    ...(cut.records === 0
      ? []
      : [
          `${counted(cut.records, 'record')} of ${counted(cut.chains, 'chain')} ${cut.records === 1 ? 'is' : 'are'} no longer kept: each cut is on record and signed.`,
        ]),
    ...(cut.ordered === 0 ? [] : [`${counted(cut.ordered, 'cut')} ordered and not carried out yet.`]),
    ...(removed.records === 0
      ? []
      : [
          `What ${counted(removed.records, 'record')} said was removed: each time two people have ordered it, on record and signed.`,
        ]),
    ...(removed.ordered === 0 ? [] : [`${counted(removed.ordered, 'removal')} ordered and not carried out yet.`]),
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
