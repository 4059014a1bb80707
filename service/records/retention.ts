import { signRecord } from '../../core/audit/audit.ts';
import { ChainCheck } from '../../core/audit/audit-check.ts';
import { DecisionCheck, type VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { CheckpointChain } from '../../core/audit/checkpoint-chain.ts';
import { type ProvenCut, timesOf } from '../../core/audit/cut-check.ts';
import {
  CutRows,
  classOf,
  cutBody,
  cutKind,
  cutsChain,
  type RecordCut,
  type RecordRetention,
} from '../../core/audit/record-cut.ts';
import { covers, type RecordHold } from '../../core/audit/record-holds.ts';
import { removedNumbers } from '../../core/audit/record-removals.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { type ExpectedLog, isLate } from './log-check.ts';
import { readCheckpoints } from './read-checkpoints.ts';
import { type KnownCuts, readCuts } from './read-cuts.ts';

export interface RetentionParts {
  readonly store: AuditStore;
  /** The log over the checkpoints: what it contradicts is not cut. Absent: the database alone. */
  readonly log?: ExpectedLog | undefined;
  /** The notary's keys. */
  readonly verifier: SignatureVerifier;
  readonly trust: Trust;
  readonly signers: VoteSigners;
  readonly retention: RecordRetention;
  readonly now?: () => Date;
}

interface Retained {
  readonly chains: number;
  readonly records: number;
  /** Number of chains that are old enough, but held. */
  readonly held: number;
  /** Why something is kept that is old enough and not held. */
  readonly problems: readonly string[];
}

interface Known extends KnownCuts {
  readonly vouched: CheckpointChain;
  readonly now: Date;
}

const dayMs = 86_400_000;
/** Maximum number of cuts per run: the rest follows with the next. */
const mostCuts = 1_000;

/**
 * Records what is no longer to be kept: nothing is deleted yet. What it relies on must be unchanged: if a recorded checkpoint, hold or cut is not, nothing is
 * cut.
 * @throws FB_ERR_AUDIT_DAMAGED
 */
export async function orderCuts(parts: RetentionParts & { readonly signer: Signer }): Promise<Retained> {
  const { store, signer, retention } = parts;
  if (Object.keys(retention.days).length === 0) return { chains: 0, records: 0, held: 0, problems: [] };
  const known = await readSoundly(parts);
  const done = { chains: 0, records: 0, held: 0 };
  const problems: string[] = [];
  for (const chain of known.vouched.heads.keys()) {
    if (done.chains === mostCuts) break;
    const cut = await dueCut(chain, parts, known);
    if (cut === undefined) continue;
    if (typeof cut === 'string') {
      problems.push(cut);
      continue;
    }
    if (holdOn(cut, known)) {
      done.held += 1;
      continue;
    }
    const expected = known.recorded + done.chains + 1;
    await store.appendNext(cutsChain, (number) => {
      // Two desks are checking at the same time: the other one has cut something, possibly this.
      if (number !== expected) throw new FirebreakError('FB_ERR_CONFLICT', 'another desk is recording cuts');
      const at = known.now.toISOString();
      return signRecord({ chain: cutsChain, number, at, kind: cutKind, actor: 'desk', body: cutBody(cut) }, signer);
    });
    done.chains += 1;
    done.records += cut.to - cut.from + 1;
  }
  return { ...done, problems };
}

/**
 * Deletes what recorded cuts name, once the notary vouches for the cut. Relies on the signed records alone, so the process that deletes needs no key, and a
 * holder of a desk's key need not be able to delete.
 * @throws FB_ERR_AUDIT_DAMAGED
 */
export async function carryOutCuts(parts: RetentionParts, { isTrial = false } = {}): Promise<Retained> {
  const { store } = parts;
  const known = await readSoundly(parts);
  const gone = await store.cutPlaces();
  const done = { chains: 0, records: 0, held: 0 };
  const problems: string[] = [];
  for (const [chain, cuts] of known.cuts) {
    const pending = cuts.filter(({ to, vouchedBy }) => to > (gone.get(chain) ?? 0) && vouchedBy !== undefined);
    for (const cut of pending) {
      if (holdOn(cut, known)) {
        done.held += 1;
        break;
      }
      const left = await rowsOf(cut, store);
      if (left === undefined) {
        problems.push(`${chain}: what is there is not what was cut`);
        break;
      }
      if (!isTrial) await store.cut({ chain, place: cut.to });
      if (left === 0) continue;
      done.chains += 1;
      done.records += left;
    }
  }
  return { ...done, problems };
}

/** Reads checkpoints, cuts, holds and removals. @throws FB_ERR_AUDIT_DAMAGED if any of that is not as it was made. */
export async function readSoundly({
  store,
  log,
  verifier,
  trust,
  signers,
  retention,
  now = () => new Date(),
}: RetentionParts): Promise<Known> {
  const at = now();
  const checkpoints = await readCheckpoints({ store, log, verifier });
  const { chain: vouched, inLog } = checkpoints;
  const findings = [...checkpoints.findings, ...inLog(at).filter(({ kind }) => !isLate(kind))];
  const known = await readCuts({ store, checkpoints, trust, signers, retention, now: at });
  const [first] = [...findings, ...known.damage, ...known.findings];
  if (first) throw new FirebreakError('FB_ERR_AUDIT_DAMAGED', `nothing is cut: ${first.text}`);
  return { ...known, vouched, now: at };
}

/** Returns what part of a chain is old enough to cut; a text if it is old enough but cannot be cut. */
async function dueCut(
  chain: string,
  { store, trust, signers, retention }: RetentionParts,
  { vouched, cuts, removals, now }: Known,
): Promise<RecordCut | string | undefined> {
  const before = cuts.get(chain) ?? [];
  const cutTo = before.at(-1)?.to ?? 0;
  const upTo = placeDue({ chain, vouched, retention, now });
  if (!upTo || upTo.number <= cutTo) return undefined;
  const last = (await store.recordAt({ chain, place: upTo.number }))?.signed?.record;
  const kind = last && classOf(last);
  const days = kind && retention.days[kind];
  if (kind === undefined || days === undefined || ageMs({ vouched, checkpoint: upTo.checkpoint, now }) < days * dayMs)
    return undefined;
  const check = new ChainCheck({
    ...{ chain, stated: vouched.stated(chain), digest: vouched.digestOf(chain), trust, cuts: before },
    removals: removedNumbers(removals).get(chain) ?? new Set(),
  });
  const decisions = new DecisionCheck({ chain, signers });
  const rows = new CutRows();
  const head = await store.eachOfChain(chain, (some) => {
    decisions.add(check.add(some));
    rows.add(some.filter(({ place }) => place > cutTo && place <= upTo.number));
  });
  const checked = check.finish(head);
  const [finding] = [...checked.findings, ...decisions.findings];
  if (finding) return `${chain} is kept: ${finding.text}`;
  // An incident that continues is not over.
  if (kind !== 'journals' && checked.end !== upTo.number) return undefined;
  return rows.cut({ checkpoint: upTo.checkpoint, class: kind, days });
}

/** Returns the last place that may be old enough; for an incident, its end. Does not read records, because nearly all are not old enough. */
function placeDue({
  chain,
  vouched,
  retention: { days },
  now,
}: Pick<Known, 'vouched' | 'now'> & { readonly chain: string; readonly retention: RecordRetention }) {
  const isOld = (limit: number | undefined) => (head: { readonly checkpoint: number }) =>
    limit !== undefined && ageMs({ vouched, checkpoint: head.checkpoint, now }) >= limit * dayMs;
  const stated = vouched.stated(chain);
  if (chain.startsWith('desk/')) return stated.findLast(isOld(days.journals));
  const shortest = [days.unanswered, days.incidents, days.decisions].filter((limit) => limit !== undefined);
  return stated.slice(-1).find(isOld(shortest.length > 0 ? Math.min(...shortest) : undefined));
}

function ageMs({ vouched, checkpoint, now }: Pick<Known, 'vouched' | 'now'> & { readonly checkpoint: number }): number {
  return now.getTime() - Date.parse(vouched.timeOf(checkpoint) ?? now.toISOString());
}

function holdOn(cut: Pick<RecordCut, 'chain' | 'from' | 'checkpoint'>, { holds, vouched }: Known): RecordHold | undefined {
  return holds.find((hold) => !hold.ended && covers(hold, timesOf(cut, vouched)));
}

/** Returns how many rows of a cut exist; undefined if they are not the ones that were cut. */
async function rowsOf(cut: ProvenCut, store: AuditStore): Promise<number | undefined> {
  const rows = new CutRows();
  await store.eachOfChain(cut.chain, (some) => rows.add(some), cut.to);
  return rows.count === 0 || rows.are(cut) ? rows.count : undefined;
}
