import type { AuditRecord } from '../../core/audit/audit.ts';
import { checkChain, provenOf } from '../../core/audit/audit-check.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import { type Finding, numbers } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { checkCuts, heldBefore, type ProvenCut, type Vouched, vouchedBy } from '../../core/audit/cut-check.ts';
import { cutIn, cutsChain, type RecordCut, type RecordRetention } from '../../core/audit/record-cut.ts';
import { holdsIn, type RecordHold, type VouchedRecord } from '../../core/audit/record-holds.ts';
import { type RecordRemoval, removalsIn } from '../../core/audit/record-removals.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { holdScopeText } from '../../core/orders/record-hold.ts';
import { StewardHistory, stewardsKind } from '../../core/people/stewards.ts';
import type { readCheckpoints } from './read-checkpoints.ts';

/** What is on record of cuts and holds, and judged. */
export interface KnownCuts {
  /** By chain, from low to high. */
  readonly cuts: ReadonlyMap<string, readonly ProvenCut[]>;
  readonly holds: readonly RecordHold[];
  readonly removals: readonly RecordRemoval[];
  /** Orders of people who were no stewards: they count for nothing. */
  readonly unauthorised: readonly Finding[];
  /** Orders of which nothing on record says whether their people were. */
  readonly unjudged: number;
  /** What is wrong with cuts. */
  readonly findings: readonly Finding[];
  /** What is wrong with the chains in which cuts and holds stand. */
  readonly damage: readonly Finding[];
  /** How many records of cuts there are. */
  readonly recorded: number;
}

interface CutReading {
  readonly store: Pick<AuditStore, 'chains' | 'storedChain' | 'recordsOf'>;
  /** What the genuine checkpoints state: read before the records. */
  readonly checkpoints: Pick<Awaited<ReturnType<typeof readCheckpoints>>, 'chain' | 'learn'>;
  readonly trust: Trust;
  readonly signers: VoteSigners;
  /** Absent: everything is kept for ever. */
  readonly retention?: RecordRetention | undefined;
  readonly now: Date;
}

const forEver: RecordRetention = { days: {}, earlier: [] };

/** Reads the chains of cuts, and of decisions above all incidents, where holds stand. Both are never cut. */
export async function readCuts({
  store,
  checkpoints: { chain: vouched, learn },
  trust,
  signers,
  retention = forEver,
  now,
}: CutReading): Promise<KnownCuts> {
  const damage: Finding[] = [];
  const ofCuts: AuditRecord[] = [];
  const ofHolds: VouchedRecord[] = [];
  const unauthorised: Finding[] = [];
  let unjudged = 0;
  const history = await stewardHistory(store, trust);
  for (const chain of [...new Set([...(await store.chains()), ...vouched.heads.keys()])].sort()) {
    const tellsCuts = chain === cutsChain;
    if (!tellsCuts && !chain.startsWith('control/')) continue;
    const checked = checkChain({ chain, stored: await store.storedChain(chain), stated: vouched.stated(chain), trust });
    damage.push(...checked.findings);
    const records = checked.genuine.map(({ record }) => record);
    if (tellsCuts) ofCuts.push(...records);
    else
      for (const record of records) {
        const { number } = record;
        const checkpoint = vouchedBy(vouched, chain, number);
        const time = checkpoint === undefined ? undefined : vouched.timeOf(checkpoint);
        const problem = history.problemOf(record, time === undefined ? now.getTime() : Date.parse(time));
        if (problem === 'unknown') unjudged += 1;
        if (problem === undefined || problem === 'unknown') ofHolds.push({ record, checkpoint });
        else unauthorised.push({ kind: 'order-unauthorised', chain, number, text: `${chain} record ${number}: ${problem}` });
      }
  }
  damage.push(...(await learn(cutBeforeTheirEnd(ofCuts, vouched))));
  const { cuts, findings } = checkCuts({ records: ofCuts, vouched, trust, retention, now });
  return {
    cuts,
    holds: holdsIn(ofHolds, signers),
    removals: removalsIn(ofHolds, signers),
    unauthorised,
    unjudged,
    findings,
    damage,
    recorded: ofCuts.length,
  };
}

/** Chains that have grown since they were cut: of these, a hash is needed that is not their last one. */
function cutBeforeTheirEnd(records: readonly AuditRecord[], vouched: Pick<Vouched, 'stated'>): ReadonlySet<string> {
  const cuts = records.flatMap((record) => cutIn(record) ?? []);
  const isBefore = ({ chain, to }: RecordCut): boolean =>
    vouched.stated(chain).some(({ number, hash }) => number === to && hash === undefined);
  return new Set(cuts.filter(isBefore).map(({ chain }) => chain));
}

/** Who was a steward when, by the records of desks that are proven. */
export async function stewardHistory(store: Pick<AuditStore, 'recordsOf'>, trust: Trust): Promise<StewardHistory> {
  return new StewardHistory(provenOf(await store.recordsOf({ kinds: [stewardsKind], since: '' }), trust).records);
}

/** What a check says of one chain's cuts. `cutTo`: the place up to which rows are gone. */
export function heldFindings(known: KnownCuts, vouched: Vouched, { chain, cutTo }: { chain: string; cutTo: number }): Finding[] {
  const gone = (known.cuts.get(chain) ?? []).filter(({ to }) => to <= cutTo);
  return gone.flatMap((cut): readonly Finding[] => {
    const hold = heldBefore(cut, vouched, known.holds);
    if (!hold) return [];
    const { order } = hold;
    const text = `${chain} ${numbers(cut.from, cut.to)} are gone, though ${order.person} had ordered to hold ${holdScopeText(order.scope)} (${order.hold})`;
    return [{ kind: 'cut-held', chain, number: cut.from, to: cut.to, text }];
  });
}
