import type { ChainHead } from '../../core/audit/audit.ts';
import { isDecision, type VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditReport, Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { checkpointDigest, staleAfterMs } from '../../core/audit/checkpoint.ts';
import type { CheckpointChain } from '../../core/audit/checkpoint-chain.ts';
import type { RecordRetention } from '../../core/audit/record-cut.ts';
import { type RecordRemoval, removedNumbers } from '../../core/audit/record-removals.ts';
import { SignaturesAhead } from '../../core/audit/signatures-ahead.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { type ExpectedLog, isLate } from './log-check.ts';
import { type ReadCheckpoints, readCheckpoints } from './read-checkpoints.ts';
import { heldFindings, type KnownCuts, readCuts } from './read-cuts.ts';
import { type ChainResult, RowsCheck } from './workers/check-rows.ts';
import type { CheckWorkers } from './workers/check-workers.ts';

/** Expectations from elsewhere of how far the checkpoints must go. */
interface CheckpointExpectation {
  /** Time at which the newest had to be fresh, for a copy or a stopped service. Absent: now. */
  readonly asOf?: Date | undefined;
  /** Why it may be older. */
  readonly allowStale?: string | undefined;
  /** A checkpoint that somebody has seen before, with its digest if that was kept. */
  readonly remembered?: RememberedCheckpoint | undefined;
}

export interface RememberedCheckpoint {
  readonly number: number;
  readonly digest?: string;
}

/**
 * Checks every record against its maker's signature, its hash, its place in its chain, and the signed checkpoints; the checkpoints against the log outside the
 * database and its witnesses; recorded votes against their signatures, decisions against the votes, and orders of stewards against who was one. Can run while
 * Firebreak is working. Trusts the public keys passed to it, and nothing else.
 * @throws FB_ERR_UNAVAILABLE if the database or the log cannot be read.
 */
export async function verifyAudit({
  store,
  verifier,
  trust,
  signers,
  log,
  retention,
  workers,
  expected = {},
  now = () => new Date(),
}: {
  readonly store: AuditStore;
  /** The notary's keys. */
  readonly verifier: SignatureVerifier;
  /** Keys of cells and desks. */
  readonly trust: Trust;
  readonly signers: VoteSigners;
  /** The transparency log over the checkpoints. Absent: nothing shows that the database went back, except its age. */
  readonly log?: ExpectedLog | undefined;
  /** What may be cut, and after how long. Absent: nothing. */
  readonly retention?: RecordRetention;
  /** Threads for large databases. They use the same keys and the same database. */
  readonly workers?: CheckWorkers | undefined;
  readonly expected?: CheckpointExpectation;
  readonly now?: () => Date;
}): Promise<AuditReport> {
  const checkedAt = now();
  // Checkpoints first: everything they name must be in the records that are read afterwards.
  const read = await readCheckpoints({
    store: workers ? { checkpoints: workers.checkpointsOf(store) } : store,
    ...{ verifier, log },
    remember: expected.remembered ? [expected.remembered.number] : [],
  });
  const { chain: checkpoints } = read;
  const age = checkAge({ checkpoints, keyOfToday: verifier.keyIds[0], expected, now: checkedAt });
  const inLog = read.inLog(expected.asOf ?? checkedAt);
  // A copy of the records need not include the log.
  const lateBy = expected.allowStale ?? (expected.asOf && 'a copy');
  const late = lateBy === undefined ? [] : inLog.filter(({ kind }) => isLate(kind));
  const findings: Finding[] = [...read.findings, ...age.findings, ...inLog.filter((finding) => !late.includes(finding))];
  const notCovered: { chain: string; from: number; to: number }[] = [];
  const known = await readCuts({ store, checkpoints: read, trust, signers, retention, now: checkedAt });
  findings.push(...known.findings, ...known.unauthorised);
  const cut = { chains: 0, records: 0, ordered: 0 };
  const removed = { records: 0, ordered: 0 };
  const ofRecords: string[] = [];
  const ofChains: { readonly chain: string; readonly findings: readonly Finding[] }[] = [];
  const about = { store, checkpoints: read, known, trust, signers, workers };
  const checked = await checkRecords(about, ({ chain, cutTo, end, ...one }) => {
    const found = [...one.findings, ...heldFindings(known, checkpoints, { chain, cutTo, removed: one.removed })];
    if (found.length > 0) ofChains.push({ chain, findings: found });
    ofRecords.push(...one.notes);
    if (cutTo > 0) cut.chains += 1;
    cut.records += cutTo;
    removed.records += one.removed.length;
    removed.ordered += known.removals.filter((removal) => isPending(removal, { chain, cutTo, removed: one.removed })).length;
    cut.ordered += (known.cuts.get(chain) ?? []).filter(({ to }) => to > cutTo).length;
    const covered = checkpoints.heads.get(chain)?.number ?? 0;
    if (end > covered) notCovered.push({ chain, from: covered + 1, to: end });
  });
  findings.push(...checked.findings, ...ofChains.sort(byChain).flatMap((one) => one.findings));
  notCovered.sort(byChain);
  const { last } = checkpoints;
  return {
    ok: findings.length === 0,
    checkedAt: checkedAt.toISOString(),
    chains: checked.chains,
    records: checked.records,
    checkpoints: checkpoints.count,
    ...(last && {
      lastCheckpoint: {
        number: last.checkpoint.number,
        at: last.checkpoint.at,
        keyId: last.keyId,
        digest: checkpointDigest(last),
      },
    }),
    ...(log && { log: log.files.description }),
    cut,
    removed,
    findings,
    notCovered,
    notes: [...age.notes, ...ofRecords.sort(), ...unjudgedNote(known), ...late.map(({ text }) => `${text}; allowed: ${lateBy}`)],
  };
}

function unjudgedNote({ unjudged }: Pick<KnownCuts, 'unjudged'>): readonly string[] {
  if (unjudged === 0) return [];
  const orders = unjudged === 1 ? 'one order' : `${unjudged} orders`;
  return [`for ${orders} that only stewards may give, no record shows who was a steward then: only the cell vouches for that`];
}

/** Returns whether the named records exist and still have their content. */
function isPending(
  removal: RecordRemoval,
  { chain, cutTo, removed }: { readonly chain: string; readonly cutTo: number; readonly removed: readonly number[] },
): boolean {
  if (!removal.isOrdered || removal.chain !== chain) return false;
  return removal.records.some((number) => number > cutTo && !removed.includes(number));
}

function byChain(a: { readonly chain: string }, b: { readonly chain: string }): number {
  return a.chain < b.chain ? -1 : 1;
}

/**
 * Reads all rows once, some thousands in memory at a time, whatever their number, and passes the findings for each chain to `take`. Chains grow meanwhile,
 * which can look like a fault: such a chain is read again by itself, as of one moment, and that result counts.
 */
async function checkRecords(
  {
    store,
    checkpoints: { chain: checkpoints, learn },
    known,
    trust,
    signers,
    workers,
  }: {
    readonly store: AuditStore;
    readonly checkpoints: Pick<ReadCheckpoints, 'chain' | 'learn'>;
    readonly known: Pick<KnownCuts, 'cuts' | 'removals'>;
    readonly trust: Trust;
    readonly signers: VoteSigners;
    readonly workers: CheckWorkers | undefined;
  },
  take: (result: ChainResult) => void,
): Promise<{ readonly chains: number; readonly records: number; readonly findings: readonly Finding[] }> {
  const unseen = new Set(checkpoints.heads.keys());
  const removals = removedNumbers(known.removals);
  const ofChain = (chain: string) => ({ cuts: known.cuts.get(chain) ?? [], removals: removals.get(chain) ?? none });
  const ahead = new SignaturesAhead(trust);
  const heads = new Map<string, ChainHead>();
  const check = new RowsCheck({ trust: ahead, signers }, (chain) => {
    const stated = { stated: checkpoints.stated(chain), digest: checkpoints.digestOf(chain) };
    return { ...ofChain(chain), ...stated, head: heads.get(chain) };
  });
  let [chains, records] = [0, 0];
  const end = (result: ChainResult): void => {
    unseen.delete(result.chain);
    chains += 1;
    records += result.rows;
    take(result);
  };
  /** Chains with a fault: checking the heads one by one may show where. */
  const wrong = new Set<string>();
  const again = async (chain: string): Promise<void> => {
    const result = await check.alone(chain, store);
    if (result.findings.length > 0 && checkpoints.digestOf(chain) !== undefined) wrong.add(chain);
    else end(result);
  };
  if (workers)
    await workers.checkAll({ store, checkpoints, known: ofChain }, async ({ sound, odd }) => {
      for (const result of sound) end(result);
      for (const chain of odd) await again(chain);
    });
  else {
    // Nearly all equal what checkpoints state, so no second copy of those is kept.
    await store.eachHead((some) => {
      for (const head of some) heads.set(head.chain, asStated(head, checkpoints));
    });
    for (const chain of heads.keys()) unseen.add(chain);
    for await (const result of check.each(ahead.each(store.eachRow(isDecision))))
      await (result.findings.length > 0 ? again(result.chain) : end(result));
  }
  for (const chain of wrong) unseen.delete(chain);
  for (const chain of [...unseen]) await again(chain);
  const findings = await learn(wrong);
  for (const chain of wrong) end(await check.alone(chain, store));
  return { chains, records, findings };
}

const none: ReadonlySet<number> = new Set();

function asStated(head: ChainHead, { heads }: CheckpointChain): ChainHead {
  const stated = heads.get(head.chain);
  return stated && stated.number === head.number && stated.hash === head.hash ? stated : head;
}

/** Rolling back database and log together leaves no mismatch except the time: the notary signs at least every 15 minutes. */
function checkAge({
  checkpoints,
  keyOfToday,
  expected: { asOf, allowStale, remembered },
  now,
}: {
  readonly checkpoints: CheckpointChain;
  readonly keyOfToday: string | undefined;
  readonly expected: CheckpointExpectation;
  readonly now: Date;
}): { readonly findings: readonly Finding[]; readonly notes: readonly string[] } {
  const findings: Finding[] = [];
  const last = checkpoints.last?.checkpoint;
  const number = last?.number ?? 0;
  const isByReplaced = checkpoints.last !== undefined && checkpoints.last.keyId !== keyOfToday;
  if (remembered && number < remembered.number) {
    const text = `the newest checkpoint is ${number}, but ${remembered.number} was seen before`;
    findings.push({ kind: 'checkpoint-stale', checkpoint: remembered.number, text });
  } else if (remembered?.digest !== undefined) {
    const seen = checkpoints.remembered(remembered.number);
    const digest = seen && checkpointDigest(seen);
    const text = `checkpoint ${remembered.number} is not the one that was seen before`;
    if (digest !== remembered.digest) findings.push({ kind: 'checkpoint-inconsistent', checkpoint: remembered.number, text });
  }
  const stale = ageProblem(last?.at, asOf ?? now, now) ?? (isByReplaced && asOf === undefined ? replacedKey : undefined);
  if (stale === undefined) return { findings, notes: [] };
  if (allowStale !== undefined) return { findings, notes: [`${stale}; allowed: ${allowStale}`] };
  findings.push({ kind: 'checkpoint-stale', ...(last && { checkpoint: number }), text: stale });
  return { findings, notes: [] };
}

const replacedKey =
  'the newest checkpoint is signed by a replaced key of the notary: no desk has run since, or somebody who has that key kept using it';

function ageProblem(at: string | undefined, asOf: Date, now: Date): string | undefined {
  if (at === undefined) return 'there is no checkpoint: the notary has not signed, or all were removed';
  const time = Date.parse(at);
  if (!(time <= now.getTime() + staleAfterMs)) return `the newest checkpoint is dated in the future (${at})`;
  if (time >= asOf.getTime() - staleAfterMs) return undefined;
  const minutes = staleAfterMs / 60_000;
  return `the newest checkpoint is from ${at}, more than ${minutes} minutes before ${asOf.toISOString()}: the notary is not running, or database and log were rolled back`;
}
