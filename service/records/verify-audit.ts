import { checkChain } from '../../core/audit/audit-check.ts';
import { checkDecisions, type VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditReport, Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { type Anchor, checkpointDigest, staleAfterMs } from '../../core/audit/checkpoint.ts';
import type { CheckpointChain } from '../../core/audit/checkpoint-chain.ts';
import type { RecordRetention } from '../../core/audit/record-cut.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { readCheckpoints } from './read-checkpoints.ts';
import { heldFindings, readCuts } from './read-cuts.ts';
import { beginLogCheck, type ExpectedLog } from './verify-log.ts';

/** What is known from elsewhere of how far the checkpoints must go. */
export interface CheckpointExpectation {
  /** The newest was to be fresh at this time, of a copy or of what was stopped. Absent: now. */
  readonly asOf?: Date | undefined;
  /** Why it may be older. */
  readonly allowStale?: string | undefined;
  /** A checkpoint that somebody has seen before, with its digest where that was kept. */
  readonly remembered?: RememberedCheckpoint | undefined;
  /**
   * Up to which whoever asks has had all signatures checked before, and nothing was found: what it vouches for still has the same hashes, and these are
   * over the signatures, so they are not checked again.
   */
  readonly verified?: Required<RememberedCheckpoint> | undefined;
}

export interface RememberedCheckpoint {
  readonly number: number;
  readonly digest?: string;
}

/**
 * Checks every record against its maker's signature, its hash, its place in its chain, and the signed checkpoints in the database and in the
 * anchor outside it; the votes on record against their signatures, and decisions against the votes. Runs beside a working Firebreak. Trusts
 * the public keys that it is given, and the anchor, not the database.
 * @throws FB_ERR_UNAVAILABLE when the database or the anchor cannot be read.
 */
export async function verifyAudit({
  store,
  anchor,
  verifier,
  trust,
  signers,
  log,
  retention,
  expected = {},
  now = () => new Date(),
}: {
  readonly store: AuditStore;
  readonly anchor: Anchor;
  /** The notary's keys. */
  readonly verifier: SignatureVerifier;
  /** Keys of cells and desks. */
  readonly trust: Trust;
  readonly signers: VoteSigners;
  /** The transparency log over the checkpoints. */
  readonly log?: ExpectedLog;
  /** What may be cut, and after how long. Absent: nothing. */
  readonly retention?: RecordRetention;
  readonly expected?: CheckpointExpectation;
  readonly now?: () => Date;
}): Promise<AuditReport> {
  const checkedAt = now();
  const logCheck = log && (await beginLogCheck(log));
  // Checkpoints first: whatever they name must be in the records that are read after them.
  const read = await readCheckpoints({
    store,
    anchor,
    verifier,
    remember: [expected.remembered, expected.verified].flatMap((seen) => seen?.number ?? []),
    ...(logCheck && { each: logCheck.take }),
  });
  const { chain: checkpoints } = read;
  const age = checkAge({ checkpoints, expected, now: checkedAt });
  const inLog = logCheck?.finish(expected.asOf ?? checkedAt) ?? [];
  // A copy has the records and the anchor; of the log there need not be one.
  const lateBy = expected.allowStale ?? (expected.asOf && 'a copy');
  const late = lateBy === undefined ? [] : inLog.filter(({ kind }) => isLate(kind));
  const findings: Finding[] = [...read.findings, ...age.findings, ...inLog.filter((finding) => !late.includes(finding))];
  const verifiedBy = verifiedCheckpoint(checkpoints, expected.verified, findings);
  const notCovered: { chain: string; from: number; to: number }[] = [];
  const known = await readCuts({ store, vouched: checkpoints, trust, signers, retention, now: checkedAt });
  findings.push(...known.findings);
  const cut = { chains: 0, records: 0, ordered: 0 };
  const chains = new Set([...(await store.chains()), ...checkpoints.heads.keys()]);
  let records = 0;
  for (const chain of [...chains].sort()) {
    const stored = await store.storedChain(chain);
    const stated = checkpoints.stated(chain);
    const cuts = known.cuts.get(chain) ?? [];
    const checked = checkChain({ chain, stored, stated, trust, verifiedBy, cuts });
    findings.push(...checked.findings, ...checkDecisions({ chain, records: checked.genuine, signers }));
    const { cutTo } = checked;
    findings.push(...heldFindings(known, checkpoints, { chain, cutTo }));
    if (cutTo > 0) cut.chains += 1;
    cut.records += cutTo;
    cut.ordered += cuts.filter(({ to }) => to > cutTo).length;
    records += stored.records.length;
    const covered = stated.at(-1)?.number ?? 0;
    const end = stored.records.at(-1)?.place ?? 0;
    if (end > covered) notCovered.push({ chain, from: covered + 1, to: end });
  }
  const { last } = checkpoints;
  return {
    ok: findings.length === 0,
    checkedAt: checkedAt.toISOString(),
    chains: chains.size,
    records,
    checkpoints: checkpoints.count,
    ...(last && {
      lastCheckpoint: {
        number: last.checkpoint.number,
        at: last.checkpoint.at,
        keyId: last.keyId,
        digest: checkpointDigest(last.checkpoint),
      },
    }),
    anchor: anchor.description,
    cut,
    findings,
    notCovered,
    notes: [...read.notes, ...age.notes, ...late.map(({ text }) => `${text}; allowed: ${lateBy}`)],
  };
}

function isLate(kind: Finding['kind']): boolean {
  return kind === 'log-behind' || kind === 'witness-missing';
}

/** Its number, where it is the one that is meant; 0: nothing counts as checked. */
function verifiedCheckpoint(
  checkpoints: CheckpointChain,
  verified: CheckpointExpectation['verified'],
  findings: Finding[],
): number {
  if (!verified) return 0;
  const there = checkpoints.remembered(verified.number);
  if (there && checkpointDigest(there) === verified.digest) return verified.number;
  const text = `checkpoint ${verified.number} is not the one up to which all was checked before`;
  findings.push({ kind: 'checkpoint-inconsistent', checkpoint: verified.number, text });
  return 0;
}

/** Whoever rolls database and anchor back together leaves nothing that does not fit, but the time: the notary signs at least every 15 minutes. */
function checkAge({
  checkpoints,
  expected: { asOf, allowStale, remembered },
  now,
}: {
  readonly checkpoints: CheckpointChain;
  readonly expected: CheckpointExpectation;
  readonly now: Date;
}): { readonly findings: readonly Finding[]; readonly notes: readonly string[] } {
  const findings: Finding[] = [];
  const last = checkpoints.last?.checkpoint;
  const number = last?.number ?? 0;
  if (remembered && number < remembered.number) {
    const text = `the newest checkpoint is ${number}, but ${remembered.number} was seen before`;
    findings.push({ kind: 'checkpoint-stale', checkpoint: remembered.number, text });
  } else if (remembered?.digest !== undefined) {
    const seen = checkpoints.remembered(remembered.number);
    const digest = seen && checkpointDigest(seen);
    const text = `checkpoint ${remembered.number} is not the one that was seen before`;
    if (digest !== remembered.digest) findings.push({ kind: 'checkpoint-inconsistent', checkpoint: remembered.number, text });
  }
  const stale = ageProblem(last?.at, asOf ?? now, now);
  if (stale === undefined) return { findings, notes: [] };
  if (allowStale !== undefined) return { findings, notes: [`${stale}; allowed: ${allowStale}`] };
  findings.push({ kind: 'checkpoint-stale', ...(last && { checkpoint: number }), text: stale });
  return { findings, notes: [] };
}

function ageProblem(at: string | undefined, asOf: Date, now: Date): string | undefined {
  if (at === undefined) return 'no checkpoint is there: the notary has not signed, or all were removed';
  const time = Date.parse(at);
  if (!(time <= now.getTime() + staleAfterMs)) return `the newest checkpoint is dated in the future (${at})`;
  if (time >= asOf.getTime() - staleAfterMs) return undefined;
  const minutes = staleAfterMs / 60_000;
  return `the newest checkpoint is of ${at}, more than ${minutes} minutes before ${asOf.toISOString()}: the notary does not run, or database and anchor were rolled back`;
}
