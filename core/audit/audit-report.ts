import { counted } from '../text/counted.ts';

/** What a check of the audit store found. */
export type FindingKind =
  /** A record's content does not match its hash. */
  | 'record-changed'
  /** A number is missing between others. */
  | 'record-missing'
  /** It is not signed by the cell or desk whose chain it is in. */
  | 'record-forged'
  /** Its maker signed another record with the same number as well: Temporal reset an incident, or a key is in other hands. */
  | 'record-doubled'
  /** A row stands where no record can be. */
  | 'record-inserted'
  /** A record does not follow from the one before it. */
  | 'record-unlinked'
  /** The chain ends before what was stated about it. */
  | 'records-cut'
  /** The hashes fit together, but they are not the ones that the notary signed. */
  | 'records-rewritten'
  | 'chain-missing'
  /** A vote on record that its desk or person did not sign. */
  | 'vote-forged'
  /** An order, a proposal or a comment on record that its desk or person did not sign. */
  | 'order-forged'
  /** An order on record of somebody who, by the desks' records, was not allowed to give it then. */
  | 'order-unauthorised'
  /** A decision on record that the votes on record do not support. */
  | 'decision-unproven'
  | 'head-changed'
  /** A record claims a cut of other records, but the claim does not hold. */
  | 'cut-forged'
  /** What was cut should have been kept for longer. */
  | 'cut-early'
  /** What was cut was under a hold. */
  | 'cut-held'
  /** The content of a record is gone, and no two people have ordered that. */
  | 'content-removed'
  /** It was removed by order although it was, and still is, under a hold. */
  | 'removal-held'
  | 'checkpoint-missing'
  | 'checkpoint-forged'
  | 'checkpoint-unlinked'
  | 'checkpoint-inconsistent'
  /** The newest checkpoint is older than the notary allows, older than one that is remembered, or dated in the future. */
  | 'checkpoint-stale'
  /** The transparency log contradicts the checkpoints, or goes further: one of the two was rolled back or recreated. */
  | 'log-forked'
  /** It is not signed with the notary's key. */
  | 'log-forged'
  /** One of its files does not match the checkpoints. */
  | 'log-changed'
  /** It ends long before the checkpoints, or is missing. */
  | 'log-behind'
  /** A witness refused to sign what it was shown. */
  | 'witness-refused'
  /** A witness has not signed for longer than the maximum interval between the notary's checkpoints. */
  | 'witness-missing';

export interface Finding {
  readonly kind: FindingKind;
  readonly chain?: string;
  /** The record it is about; the first one if there are several. */
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
  /** Number and digest can be stored elsewhere for the next check, so that nobody can roll back past them. */
  readonly lastCheckpoint?: { readonly number: number; readonly at: string; readonly keyId: string; readonly digest: string };
  /** Where the log is that the checkpoints were compared with; absent: with none. */
  readonly log?: string;
  /** What is gone by proven cuts, and how many cuts are ordered but not yet carried out. */
  readonly cut: { readonly chains: number; readonly records: number; readonly ordered: number };
  /** How many records had their content removed by order of two people, and how many such orders are not carried out yet. */
  readonly removed: { readonly records: number; readonly ordered: number };
  readonly findings: readonly Finding[];
  /** Records that no checkpoint vouches for yet: rewriting these with matching hashes would go unnoticed. */
  readonly notCovered: readonly { readonly chain: string; readonly from: number; readonly to: number }[];
  readonly notes: readonly string[];
}

const listedAtMost = 50;

/** The report as lines for people. */
export function describeReport(report: AuditReport): string[] {
  const { chains, records, checkpoints, lastCheckpoint, log, cut, removed, findings, notCovered, notes } = report;
  const last = lastCheckpoint
    ? `the last one ${lastCheckpoint.number}:${lastCheckpoint.digest} of ${lastCheckpoint.at}, key ${lastCheckpoint.keyId}`
    : 'none signed yet';
  return [
    report.ok ? 'The audit store is intact.' : `The audit store is NOT intact: ${counted(findings.length, 'finding')}.`,
    `Checked ${counted(records, 'record')} in ${counted(chains, 'chain')}, ${counted(checkpoints, 'checkpoint')} (${last}), against ${log === undefined ? 'no log' : `the log in ${log}`}.`,
    ...(cut.records === 0
      ? []
      : [
          `${counted(cut.records, 'record')} of ${counted(cut.chains, 'chain')} ${cut.records === 1 ? 'is' : 'are'} no longer kept: each cut is on record and signed.`,
        ]),
    ...(cut.ordered === 0 ? [] : [`${counted(cut.ordered, 'cut')} ordered but not carried out yet.`]),
    ...(removed.records === 0
      ? []
      : [
          `The content of ${counted(removed.records, 'record')} was removed: two people ordered each removal, on record and signed.`,
        ]),
    ...(removed.ordered === 0 ? [] : [`${counted(removed.ordered, 'removal')} ordered but not carried out yet.`]),
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
