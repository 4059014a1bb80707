import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore, StoredCheckpoint } from '../../core/audit/audit-store.ts';
import type { SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import {
  CheckpointChain,
  isByKeyOfThen,
  type RetainedHeads,
  signedBytesOf,
  vouchesFor,
} from '../../core/audit/checkpoint-chain.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { beginLogCheck, type ExpectedLog } from './log-check.ts';

export interface ReadCheckpoints {
  readonly chain: CheckpointChain;
  /** What is wrong with the checkpoints themselves. */
  readonly findings: readonly Finding[];
  /** What is wrong with the log, as of a time: it may be behind by as much as the newest checkpoint. Empty if there was none to compare with. */
  readonly inLog: (asOf: Date) => readonly Finding[];
  /**
   * Makes the chain know every head of these chains, with its hash, by reading all checkpoints once more if necessary. Returns findings for those where this
   * failed because something has changed meanwhile.
   */
  readonly learn: (chains: Iterable<string>) => Promise<readonly Finding[]>;
}

/** Number read before their signatures are checked: the last one vouches for those before it. More would need too much memory at once. */
const checkedAtOnce = 80;

/**
 * Reads the checkpoints of the database, number by number, follows the genuine ones, and compares them with the log outside of it. A year has half a million:
 * in a sequence in which each names the previous one, only the last signature is checked.
 */
export async function readCheckpoints({
  store,
  verifier,
  log,
  remember = [],
  keeps = 'usual',
  each,
}: {
  readonly store: Pick<AuditStore, 'checkpoints'>;
  readonly verifier: SignatureVerifier;
  readonly log?: ExpectedLog | undefined;
  /** Numbers of checkpoints that the chain keeps in memory. */
  readonly remember?: readonly number[];
  readonly keeps?: RetainedHeads;
  /** Receives the genuine checkpoints, in order. */
  readonly each?: (genuine: SignedCheckpoint) => Promise<void>;
}): Promise<ReadCheckpoints> {
  // The log first: the checkpoints are ahead of it.
  const logCheck = log && (await beginLogCheck(log));
  const chain = new CheckpointChain({ remember, keeps });
  const findings: Finding[] = [];
  for await (const { number, signed } of withSignatures(databaseCheckpoints(store), verifier)) {
    if (!signed || !isByKeyOfThen(signed, verifier, chain.last)) {
      findings.push(forged(number));
      continue;
    }
    findings.push(...chain.follow(signed));
    logCheck?.take(signed);
    await each?.(signed);
  }
  findings.push(...chain.finish());
  const learn = async (chains: Iterable<string>): Promise<readonly Finding[]> => {
    const asked = new Set([...chains].filter((one) => chain.digestOf(one) !== undefined));
    if (asked.size === 0) return [];
    const again = await readCheckpoints({ store, verifier, keeps: asked });
    return [...asked].filter((one) => !chain.learn(one, again.chain)).map(changedMeanwhile);
  };
  return { chain, findings, inLog: (asOf) => logCheck?.finish(asOf) ?? [], learn };
}

function changedMeanwhile(chain: string): Finding {
  const text = `what the checkpoints state about ${chain} changed while they were being read`;
  return { kind: 'checkpoint-inconsistent', chain, text };
}

function forged(checkpoint: number): Finding {
  const text = `checkpoint ${checkpoint} has no valid signature by a key that the notary had then`;
  return { kind: 'checkpoint-forged', checkpoint, text };
}

/** `signed` is absent where no valid signature is. Some rows at a time, from last to first: a checkpoint named by a signed one needs no check. */
async function* withSignatures(
  rows: AsyncIterable<StoredCheckpoint>,
  verifier: SignatureVerifier,
): AsyncGenerator<Omit<StoredCheckpoint, 'text'>, undefined> {
  const checked = (some: readonly StoredCheckpoint[]): readonly Omit<StoredCheckpoint, 'text'>[] => {
    let next: SignedCheckpoint | undefined;
    const found = some.toReversed().map(({ number, signed }) => {
      const isSigned = signed && ((next && vouchesFor(next, signed)) || verifier.verify(signedBytesOf(signed)));
      next = isSigned ? signed : undefined;
      return next ? { number, signed: next } : { number };
    });
    return found.reverse();
  };
  let some: StoredCheckpoint[] = [];
  for await (const row of rows) {
    some.push(row);
    if (some.length < checkedAtOnce) continue;
    yield* checked(some);
    some = [];
  }
  yield* checked(some);
}

/** Lowest INTEGER of the databases, so that a row that somebody put below 1 is read too. */
const lowestInteger = -(2 ** 31);

async function* databaseCheckpoints(store: Pick<AuditStore, 'checkpoints'>): AsyncGenerator<StoredCheckpoint, undefined> {
  for (let next = store.checkpoints({ after: lowestInteger }); ; ) {
    const rows = await next;
    const last = rows.at(-1);
    if (!last) return undefined;
    // The next ones are fetched while these are checked.
    next = store.checkpoints({ after: last.number });
    next.catch(() => undefined);
    yield* rows;
  }
}
