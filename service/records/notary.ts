import type { ChainHead } from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import {
  type Anchor,
  type Checkpoint,
  checkpointBytes,
  heartbeatMs,
  nextCheckpoint,
  type SignedCheckpoint,
} from '../../core/audit/checkpoint.ts';
import { follows, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import type { HeadsTree } from '../../core/audit/heads-tree.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { readCheckpoints } from './read-checkpoints.ts';

export interface NotaryOptions {
  readonly store: Pick<AuditStore, 'heads' | 'checkpoints' | 'addCheckpoint'>;
  /** Not held by whoever writes the database. */
  readonly signer: Signer;
  /** Trusts the signer's key, and the keys before it. */
  readonly verifier: SignatureVerifier;
  readonly anchor: Anchor;
  /** How often heads that moved are signed, milliseconds. At most a minute. */
  readonly everyMs: number;
  /** Somebody took back what was signed, or wrote to the checkpoints. Once for each finding. */
  readonly onAlarm: (finding: Finding) => void;
  /** A round failed and is tried again with the next one. */
  readonly onError: (error: unknown) => void;
  /** The anchor did not have so many that are genuine in the database: other notaries signed them while this one was away. It has them now. */
  readonly onCaughtUp?: (checkpoints: number) => void;
  /** Asked when it begins to read all checkpoints: who wants to see them, too. */
  readonly beside?: () => CheckpointFollower | undefined;
  readonly now?: () => Date;
}

/** Is given the genuine checkpoints in their order, and never makes who gives them wait. */
export interface CheckpointFollower {
  readonly take: (genuine: SignedCheckpoint) => void;
  readonly end: () => void;
}

export interface Notary {
  /** Signs now what has moved, and a first one of nothing; undefined when nothing has moved and no heartbeat is due. @throws FB_ERR_UNAVAILABLE and what the anchor throws. */
  sign(): Promise<SignedCheckpoint | undefined>;
  /** Signs a last time and ends. */
  stop(): Promise<void>;
}

interface State {
  readonly last: SignedCheckpoint | undefined;
  readonly heads: HeadsTree;
}

/** Another notary may be ahead by one, and by one more when it signs at that moment. */
const triesOfARound = 3;

/**
 * Signs the heads of all chains into the chain of checkpoints, into the database and into the anchor. It begins where the
 * genuine checkpoints end, which it reads at its first round, so it may be killed at any time. Each desk has one, with an anchor of its own: what
 * another has signed is followed and anchored here, too, and what that one has covered is not signed again.
 * @throws FB_ERR_CONFIG_INVALID when it would sign less than once a minute.
 */
export function createNotary(options: NotaryOptions): Notary {
  const { store, signer, verifier, anchor, everyMs, onError, now = () => new Date() } = options;
  if (everyMs > 60_000) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the notary must sign at least every minute');
  const alarm = once(options.onAlarm);
  let state: State | undefined;

  const begin = async (): Promise<State> => {
    const beside = options.beside?.();
    const { chain, findings, unanchored, anchored } = await readCheckpoints({
      ...{ store, anchor, verifier, keeps: 'last' },
      ...(beside && { each: beside.take }),
    });
    beside?.end();
    // To this key all of them are forged, and it would put its own in their place.
    if (!chain.last && anchored > 0)
      throw new FirebreakError(
        'FB_ERR_CONFIG_INVALID',
        `${anchor.description} has ${anchored} checkpoints, none by a key of the notary that is known: name its public key of before in audit.retiredNotaryKeys`,
      );
    const behind = new Set(unanchored.map(({ checkpoint }) => checkpoint.number));
    for (const finding of findings) if (!isBehind(finding, behind)) alarm(finding);
    for (const signed of unanchored) await anchor.append(signed);
    if (unanchored.length > 0) options.onCaughtUp?.(unanchored.length);
    return { last: chain.last, heads: chain.heads };
  };

  /** What follows genuinely upon what is known here; where something else stands there, the round finds out. */
  const followOthers = async (from: State): Promise<State> => {
    let { last } = from;
    const { heads } = from;
    const moved: ChainHead[] = [];
    for (const { signed } of await store.checkpoints({ after: last?.checkpoint.number ?? 0 })) {
      if (!signed || !follows(signed.checkpoint, last) || !isGenuine(signed, verifier, last)) break;
      await anchor.append(signed);
      moved.push(...signed.checkpoint.moved);
      last = signed;
    }
    // Only once all of them are anchored: until then the next round begins where this one did.
    for (const head of moved) heads.set(head);
    return last === from.last ? from : { last, heads };
  };

  const round = async (): Promise<SignedCheckpoint | undefined> => {
    for (let tries = 1; ; tries += 1) {
      state = await followOthers(state ?? (await begin()));
      const { last, heads } = state;
      const at = now();
      const shown = await store.heads();
      const { checkpoint, retracted } = nextCheckpoint({ last, stated: heads, shown, at: at.toISOString() });
      for (const head of retracted) alarm(takenBack(head));
      const idleMs = last ? at.getTime() - Date.parse(last.checkpoint.at) : Number.POSITIVE_INFINITY;
      if (checkpoint.moved.length === 0 && idleMs < heartbeatMs) return undefined;
      const signed = { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      // Until both have it, the next round reads again what there is: it anchors what only the database has.
      const before = state;
      state = undefined;
      try {
        const isReplaced = await store.addCheckpoint(signed, (stored) => isGenuine(stored, verifier, last));
        if (isReplaced) alarm(forged(checkpoint));
      } catch (error) {
        if (!isTaken(error) || tries === triesOfARound) throw error;
        state = before;
        continue;
      }
      await anchor.append(signed);
      for (const head of checkpoint.moved) heads.set(head);
      state = { last: signed, heads };
      return signed;
    }
  };

  let running: Promise<unknown> = Promise.resolve();
  const sign = (): Promise<SignedCheckpoint | undefined> => {
    const next = running.then(round);
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

/** It is genuine, and the anchor ends before it: this notary was away, or had a new volume. `audit verify` tells who asks for proof. */
function isBehind({ kind, checkpoint }: Finding, unanchored: ReadonlySet<number>): boolean {
  return kind === 'anchor-missing' && checkpoint !== undefined && unanchored.has(checkpoint);
}

function isTaken(error: unknown): boolean {
  return error instanceof FirebreakError && error.code === 'FB_ERR_CONFLICT';
}

function forged({ number }: Checkpoint): Finding {
  const text = `what stood under the number of checkpoint ${number} has no valid signature: the true one is in its place`;
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

/** Reports the same finding no second time. */
export function once(report: (finding: Finding) => void): (finding: Finding) => void {
  const reported = new Set<string>();
  return (finding) => {
    const key = JSON.stringify([finding.kind, finding.chain, finding.number, finding.checkpoint]);
    if (reported.has(key)) return;
    reported.add(key);
    report(finding);
  };
}
