import type { AuditRecord } from '../../core/audit/audit.ts';
import { ChainCheck, provenIn } from '../../core/audit/audit-check.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import { type Finding, numbers } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { CutCheck, heldBefore, type ProvenCut, type Vouched, vouchedBy } from '../../core/audit/cut-check.ts';
import { cutsChain, type RecordRetention } from '../../core/audit/record-cut.ts';
import { holdsIn, type RecordHold, type VouchedRecord } from '../../core/audit/record-holds.ts';
import { holdAgainst, type RecordRemoval, removalsIn } from '../../core/audit/record-removals.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { holdScopeText, recordOrderIn } from '../../core/orders/record-hold.ts';
import { StewardHistory, stewardsKind } from '../../core/people/stewards.ts';
import type { ReadCheckpoints } from './read-checkpoints.ts';

/** Recorded cuts and holds, judged. */
export interface KnownCuts {
  /** By chain, ascending. */
  readonly cuts: ReadonlyMap<string, readonly ProvenCut[]>;
  readonly holds: readonly RecordHold[];
  readonly removals: readonly RecordRemoval[];
  /** Orders of people who were not stewards: they have no effect. */
  readonly unauthorised: readonly Finding[];
  /** Number of orders for which no record shows whether their people were stewards. */
  readonly unjudged: number;
  /** Problems with cuts. */
  readonly findings: readonly Finding[];
  /** Problems with the chains that hold cuts and holds. */
  readonly damage: readonly Finding[];
  /** Number of records of cuts. */
  readonly recorded: number;
}

interface CutReading {
  readonly store: Pick<AuditStore, 'chains' | 'eachOfChain' | 'eachOfKinds'>;
  /** What the genuine checkpoints state; read before the records. */
  readonly checkpoints: Pick<ReadCheckpoints, 'chain' | 'learn'>;
  readonly trust: Trust;
  readonly signers: VoteSigners;
  /** Absent: everything is kept forever. */
  readonly retention?: RecordRetention | undefined;
  readonly now: Date;
}

/** Prefix of chains with decisions above all incidents. */
const controlPrefix = 'control/';

const forEver: RecordRetention = { days: {}, earlier: [] };

/**
 * Reads the chains of cuts, and of decisions above all incidents, which contain holds, some rows at a time: it keeps what each cut removed, and the decisions
 * that order something about records. Neither kind of chain is ever cut.
 */
export async function readCuts({
  store,
  checkpoints: { chain: vouched, learn },
  trust,
  signers,
  retention = forEver,
  now,
}: CutReading): Promise<KnownCuts> {
  const damage: Finding[] = [];
  const check = new CutCheck({ vouched, trust, retention, now });
  let recorded = 0;
  const ofOrders: VouchedRecord[] = [];
  const unauthorised: Finding[] = [];
  let unjudged = 0;
  const history = await stewardHistory(store, trust);
  const judge = (chain: string, record: AuditRecord): void => {
    const { number } = record;
    const checkpoint = vouchedBy(vouched, chain, number);
    const time = checkpoint === undefined ? undefined : vouched.timeOf(checkpoint);
    const problem = history.problemOf(record, time === undefined ? now.getTime() : Date.parse(time));
    if (problem === 'unknown') unjudged += 1;
    const isOrder = recordOrderIn(record.body.order) !== undefined;
    if (problem !== undefined && problem !== 'unknown')
      unauthorised.push({ kind: 'order-unauthorised', chain, number, text: `${chain} record ${number}: ${problem}` });
    else if (isOrder) ofOrders.push({ record, checkpoint });
  };
  const isTold = (chain: string): boolean => chain === cutsChain || chain.startsWith(controlPrefix);
  const there = await store.chains([cutsChain, controlPrefix]);
  for (const chain of [...new Set([...there, ...vouched.heads.keys()].filter(isTold))].sort()) {
    const tellsCuts = chain === cutsChain;
    const ofChain = new ChainCheck({ chain, stated: vouched.stated(chain), digest: vouched.digestOf(chain), trust });
    const head = await store.eachOfChain(chain, (rows) => {
      for (const { record } of ofChain.add(rows))
        if (tellsCuts) {
          recorded += 1;
          check.add(record);
        } else judge(chain, record);
    });
    damage.push(...ofChain.finish(head).findings);
  }
  damage.push(...(await learn(check.unknown)));
  check.finish();
  return {
    cuts: check.cuts,
    holds: holdsIn(ofOrders, signers),
    removals: removalsIn(ofOrders, signers),
    unauthorised,
    unjudged,
    findings: check.findings,
    damage,
    recorded,
  };
}

/** Returns who was a steward when, from the proven records of desks. */
export async function stewardHistory(store: Pick<AuditStore, 'eachOfKinds'>, trust: Trust): Promise<StewardHistory> {
  return new StewardHistory((await provenIn(store.eachOfKinds({ kinds: [stewardsKind], since: '' }), trust)).records);
}

/**
 * Returns the findings for what is missing in one chain. `cutTo`: the place up to which rows are gone; `removed`: numbers of the records whose content was
 * removed by order.
 */
export function heldFindings(
  known: KnownCuts,
  vouched: Vouched,
  { chain, cutTo, removed }: { readonly chain: string; readonly cutTo: number; readonly removed: readonly number[] },
): readonly Finding[] {
  const ofRemovals = removed.flatMap((number): readonly Finding[] => {
    const hold = holdAgainst({ chain, number }, known, vouched);
    if (!hold) return [];
    const text = `the content of ${chain} record ${number} was removed, though ${heldText(hold)}, and that order still stands`;
    return [{ kind: 'removal-held', chain, number, text }];
  });
  const gone = (known.cuts.get(chain) ?? []).filter(({ to }) => to <= cutTo);
  const ofCuts = gone.flatMap((cut): readonly Finding[] => {
    const hold = heldBefore(cut, vouched, known.holds);
    if (!hold) return [];
    const text = `${chain} ${numbers(cut.from, cut.to)} are gone, though ${heldText(hold)}`;
    return [{ kind: 'cut-held', chain, number: cut.from, to: cut.to, text }];
  });
  return [...ofRemovals, ...ofCuts];
}

function heldText({ order: { person, scope, hold } }: RecordHold): string {
  return `${person} had ordered to hold ${holdScopeText(scope)} (${hold})`;
}
