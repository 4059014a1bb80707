import type { ChainHead } from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import {
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
  /** What the log outside the database says. Absent: nothing shows that the database went back. */
  readonly log?: { begin(): Promise<LogBeginning> };
  /** Interval at which changed heads are signed, in milliseconds. At most a minute. */
  readonly everyMs: number;
  /** Called if somebody rolled back what was signed, or changed the checkpoints. Once per finding. */
  readonly onAlarm: (finding: Finding) => void;
  /** Called if a round failed; it is retried with the next one. */
  readonly onError: (error: unknown) => void;
  /** Called after each round, and not waited for. */
  readonly afterRound?: () => void;
  readonly now?: () => Date;
}

export interface Notary {
  /**
   * Signs what has changed, and an empty first checkpoint; undefined if nothing has changed and no heartbeat is due. @throws FB_ERR_UNAVAILABLE, and
   * FB_ERR_AUDIT_DAMAGED if the database is not as it was signed: nothing is signed then.
   */
  sign(): Promise<SignedCheckpoint | undefined>;
  /** Signs once more and ends. */
  stop(): Promise<void>;
}

/** What the log says at a start, to be compared with the checkpoints. */
export interface LogBeginning {
  /** How many checkpoints are in it. */
  readonly size: number;
  /** Takes the genuine checkpoints, in order. */
  take(signed: SignedCheckpoint): Promise<void>;
  /** @throws FB_ERR_AUDIT_DAMAGED if the log and the checkpoints do not match. */
  end(): void;
}

interface State {
  readonly last: SignedCheckpoint | undefined;
  readonly heads: HeadsTree;
}

/** Another notary may be ahead by one, and by one more if it signs at that moment. */
const triesOfARound = 3;

/**
 * Signs the heads of all chains into checkpoints. It starts where the genuine ones end, which it reads in its first round, so it may be killed at any time. It
 * signs nothing on top of checkpoints that the log of its desk contradicts: that would be another past. Each desk has a notary: what another one has signed is
 * followed, and not signed again.
 * @throws FB_ERR_CONFIG_INVALID if it would sign less than once a minute.
 */
export function createNotary(options: NotaryOptions): Notary {
  const { store, signer, verifier, everyMs, onError, now = () => new Date() } = options;
  if (everyMs > 60_000) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the notary must sign at least every minute');
  const alarm = once(options.onAlarm);
  let state: State | undefined;

  const begin = async (): Promise<State> => {
    const beginning = await options.log?.begin();
    const { chain, findings } = await readCheckpoints({
      ...{ store, verifier, keeps: 'last' },
      ...(beginning && { each: beginning.take }),
    });
    // With this key all of them look forged, and it would replace them with its own.
    if (!chain.last && beginning && beginning.size > 0 && findings.length > 0)
      throw new FirebreakError(
        'FB_ERR_CONFIG_INVALID',
        `the log has ${beginning.size} checkpoints, and none in the database is signed by a known key of the notary: add its previous public key to audit.retiredNotaryKeys`,
      );
    for (const finding of findings) alarm(finding);
    beginning?.end();
    return { last: chain.last, heads: chain.heads };
  };

  /** Follows the genuine successors of what is known here; if something else is there, the round detects it. */
  const followOthers = async (from: State): Promise<State> => {
    let { last } = from;
    const { heads } = from;
    for (const { signed } of await store.checkpoints({ after: last?.checkpoint.number ?? 0 })) {
      if (!signed || !follows(signed.checkpoint, last) || !isGenuine(signed, verifier, last)) break;
      for (const head of signed.checkpoint.moved) heads.set(head);
      last = signed;
    }
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
      for (const head of moved) heads.set(head);
      state = { last: signed, heads };
      return signed;
    }
  };

  /** The next round follows a checkpoint that was stored without an answer, like that of another notary. If something else is in its place, all are read again. */
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
    options.afterRound?.();
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
