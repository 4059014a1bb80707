import type { ChainHead } from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import {
  type Anchor,
  type Checkpoint,
  checkpointBytes,
  HeadsComparison,
  heartbeatMs,
  nextCheckpoint,
  type SignedCheckpoint,
} from '../../core/audit/checkpoint.ts';
import { follows, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import type { HeadsTree } from '../../core/audit/heads-tree.ts';
import { FirebreakError, hasCode } from '../../core/errors.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { readCheckpoints } from './read-checkpoints.ts';

export interface NotaryOptions {
  readonly store: Pick<AuditStore, 'eachHead' | 'checkpoints' | 'addCheckpoint'>;
  /** Its key must not be held by anything that writes the database. */
  readonly signer: Signer;
  /** Trusts the signer's key, and earlier keys. */
  readonly verifier: SignatureVerifier;
  readonly anchor: Anchor;
  /** Interval at which changed heads are signed, in milliseconds. At most a minute. */
  readonly everyMs: number;
  /** Called if somebody rolled back what was signed, or changed the checkpoints. Once per finding. */
  readonly onAlarm: (finding: Finding) => void;
  /** Called if a round failed; it is retried with the next one. */
  readonly onError: (error: unknown) => void;
  /**
   * Called with the number of genuine checkpoints in the database that the anchor lacked: other notaries signed them while this one was away. The anchor has
   * them now.
   */
  readonly onCaughtUp?: (checkpoints: number) => void;
  /** Called when it starts to read all checkpoints: returns a follower that needs them, too. */
  readonly beside?: () => CheckpointFollower | undefined;
  readonly now?: () => Date;
}

/** Receives the genuine checkpoints in order, and never makes the caller wait. */
export interface CheckpointFollower {
  readonly take: (genuine: SignedCheckpoint) => void;
  readonly end: () => void;
}

export interface Notary {
  /**
   * Signs what has changed, and an empty first checkpoint; undefined if nothing has changed and no heartbeat is due. @throws FB_ERR_UNAVAILABLE and what the
   * anchor throws.
   */
  sign(): Promise<SignedCheckpoint | undefined>;
  /** Signs once more and ends. */
  stop(): Promise<void>;
}

interface State {
  readonly last: SignedCheckpoint | undefined;
  readonly heads: HeadsTree;
}

/** Checkpoints per disk write while the anchor catches up: a new anchor needs the half a million of a year. */
const anchoredAtOnce = 256;

/** Another notary may be ahead by one, and by one more if it signs at that moment. */
const triesOfARound = 3;

/**
 * Signs the heads of all chains into the chain of checkpoints, in the database and in the anchor. It starts where the genuine checkpoints end, which it reads
 * in its first round, so it may be killed at any time. Each desk has a notary with its own anchor: what another notary has signed is followed and anchored
 * here, too, and what it has covered is not signed again.
 * @throws FB_ERR_CONFIG_INVALID if it would sign less than once a minute.
 */
export function createNotary(options: NotaryOptions): Notary {
  const { store, signer, verifier, anchor, everyMs, onError, now = () => new Date() } = options;
  if (everyMs > 60_000) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the notary must sign at least every minute');
  const alarm = once(options.onAlarm);
  let state: State | undefined;

  const begin = async (): Promise<State> => {
    const beside = options.beside?.();
    let missing: SignedCheckpoint[] = [];
    const { chain, findings, unanchored, anchored } = await readCheckpoints({
      ...{ store, anchor, verifier, keeps: 'last' },
      ...(beside && { each: beside.take }),
      eachUnanchored: async (signed) => {
        missing.push(signed);
        if (missing.length < anchoredAtOnce) return;
        await anchor.append(...missing);
        missing = [];
      },
    });
    if (missing.length > 0) await anchor.append(...missing);
    beside?.end();
    // With this key all of them look forged, and it would replace them with its own.
    if (!chain.last && anchored > 0)
      throw new FirebreakError(
        'FB_ERR_CONFIG_INVALID',
        `${anchor.description} has ${anchored} checkpoints, none of them signed by a known key of the notary: add its previous public key to audit.retiredNotaryKeys`,
      );
    // Missing checkpoints at the end were just added: this notary was away, or had a new volume. `audit verify` reports them to anyone who asks for proof.
    for (const finding of findings)
      if (finding.kind !== 'anchor-missing' || finding.checkpoint !== unanchored?.first) alarm(finding);
    if (unanchored) options.onCaughtUp?.(unanchored.count);
    return { last: chain.last, heads: chain.heads };
  };

  /** Follows the genuine successors of what is known here; if something else is there, the round detects it. */
  const followOthers = async (from: State): Promise<State> => {
    let { last } = from;
    const { heads } = from;
    const fresh: SignedCheckpoint[] = [];
    for (const { signed } of await store.checkpoints({ after: last?.checkpoint.number ?? 0 })) {
      if (!signed || !follows(signed.checkpoint, last) || !isGenuine(signed, verifier, last)) break;
      fresh.push(signed);
      last = signed;
    }
    if (fresh.length === 0) return from;
    // Only once all of them are anchored: until then the next round starts where this one did.
    await anchor.append(...fresh);
    for (const { checkpoint } of fresh) for (const head of checkpoint.moved) heads.set(head);
    return { last, heads };
  };

  const round = async (): Promise<SignedCheckpoint | undefined> => {
    for (let tries = 1; ; tries += 1) {
      state = await followOthers(state ?? (await begin()));
      const { last, heads } = state;
      const at = now();
      const comparison = new HeadsComparison(heads);
      await store.eachHead((some) => comparison.add(some));
      const { moved, retracted } = comparison.finish();
      for (const head of retracted) alarm(takenBack(head));
      const idleMs = last ? at.getTime() - Date.parse(last.checkpoint.at) : Number.POSITIVE_INFINITY;
      if (moved.length === 0 && idleMs < heartbeatMs) return undefined;
      const checkpoint = nextCheckpoint({ last, stated: heads, moved, at: at.toISOString() });
      const signed = { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      try {
        const isReplaced = await store.addCheckpoint(signed, (stored) => isGenuine(stored, verifier, last));
        if (isReplaced) alarm(forged(checkpoint));
      } catch (error) {
        if (!hasCode(error, 'FB_ERR_CONFLICT') || tries === triesOfARound) throw error;
        continue;
      }
      await anchor.append(signed);
      for (const head of moved) heads.set(head);
      state = { last: signed, heads };
      return signed;
    }
  };

  /**
   * A checkpoint that failed on the way is followed and anchored by the next round, like one that another notary has signed. If something else is in the place
   * of a checkpoint, all are read again, which shows what.
   */
  const attempt = (): Promise<SignedCheckpoint | undefined> =>
    round().catch((error: unknown) => {
      if (hasCode(error, 'FB_ERR_CONFLICT')) state = undefined;
      throw error;
    });

  let running: Promise<unknown> = Promise.resolve();
  const sign = (): Promise<SignedCheckpoint | undefined> => {
    const next = running.then(attempt);
    running = next.catch(() => undefined);
    return next;
  };
  let ticking = false;
  const tick = async (): Promise<void> => {
    if (ticking) return;
    ticking = true;
    await sign().catch(onError);
    ticking = false;
  };
  const timer = setInterval(() => void tick(), everyMs);
  return {
    sign,
    stop: async () => {
      clearInterval(timer);
      await sign().catch(onError);
    },
  };
}

function forged({ number }: Checkpoint): Finding {
  const text = `what was stored as checkpoint ${number} has no valid signature: the genuine one has replaced it`;
  return { kind: 'checkpoint-forged', checkpoint: number, text };
}

function takenBack({ chain, number }: ChainHead): Finding {
  return {
    kind: 'records-cut',
    chain,
    number,
    text: `${chain} no longer shows the signed head ${number}: run \`firebreak audit verify\``,
  };
}

/** Reports each finding only once. */
export function once(report: (finding: Finding) => void): (finding: Finding) => void {
  const reported = new Set<string>();
  return (finding) => {
    const key = JSON.stringify([finding.kind, finding.chain, finding.number, finding.checkpoint]);
    if (reported.has(key)) return;
    reported.add(key);
    report(finding);
  };
}
