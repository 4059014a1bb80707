import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore, StoredCheckpoint } from '../../core/audit/audit-store.ts';
import { type Anchor, checkpointOfLine, checkpointText, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import {
  CheckpointChain,
  isByKeyOfThen,
  type RetainedHeads,
  signedBytesOf,
  vouchesFor,
} from '../../core/audit/checkpoint-chain.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';

export interface ReadCheckpoints {
  readonly chain: CheckpointChain;
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
  /** Genuine checkpoints at the end of the database that the anchor lacks. */
  readonly unanchored: CheckpointRun | undefined;
  /** Number of checkpoints in the anchor, whoever signed them. */
  readonly anchored: number;
  /**
   * Makes the chain know every head of these chains, with its hash, by reading all checkpoints once more if necessary. Returns findings for those where this
   * failed because something has changed meanwhile.
   */
  readonly learn: (chains: Iterable<string>) => Promise<readonly Finding[]>;
}

/** A run of genuine checkpoints, with at most others between them. */
interface CheckpointRun {
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** The notary writes to the database first, then to the anchor: this many of the newest may still be missing there. */
const onTheirWay = 2;

/** Number read before their signatures are checked: the last one vouches for those before it. More would need too much memory at once. */
const checkedAtOnce = 80;

/**
 * Reads the checkpoints of the database and of the anchor side by side, number by number, and follows the genuine ones. A year has half a million: in a
 * sequence in which each names the previous one, only the last signature is checked.
 */
export async function readCheckpoints({
  store,
  anchor,
  verifier,
  remember = [],
  keeps = 'usual',
  each,
  eachUnanchored,
}: {
  readonly store: Pick<AuditStore, 'checkpoints'>;
  readonly anchor: Anchor;
  readonly verifier: SignatureVerifier;
  /** Numbers of checkpoints that the chain keeps in memory. */
  readonly remember?: readonly number[];
  readonly keeps?: RetainedHeads;
  /** Receives the genuine checkpoints, in order. */
  readonly each?: (genuine: SignedCheckpoint) => void | Promise<void>;
  /** Receives those of `unanchored`, in order: at that point nothing more is read from the anchor. */
  readonly eachUnanchored?: (genuine: SignedCheckpoint) => Promise<void>;
}): Promise<ReadCheckpoints> {
  const chain = new CheckpointChain({ remember, keeps });
  const findings: Finding[] = [];
  const notes: string[] = [];
  let unanchored: CheckpointRun | undefined;
  let unreadable = 0;
  let anchoredCount = 0;

  for await (const found of someAtOnce(sideBySide(store, anchor), (some) => checked(some, verifier))) {
    if ('odd' in found) {
      const { odd } = found;
      if (odd === 'unreadable') unreadable += 1;
      else anchoredCount += 1;
      if (typeof odd === 'object') findings.push(outOfOrder(odd));
      continue;
    }
    const { anchored, isBehindAnchor } = found;
    if (anchored) anchoredCount += 1;
    const { genuine, finding } = choose(found, verifier, chain.last);
    if (finding) findings.push(finding);
    if (anchored && unanchored) findings.push(missingInAnchor(unanchored));
    if (anchored) unanchored = undefined;
    else if (genuine) unanchored = longer(unanchored, genuine);
    if (!genuine) continue;
    findings.push(...chain.follow(genuine));
    await each?.(genuine);
    if (isBehindAnchor) await eachUnanchored?.(genuine);
  }

  if (unreadable > 0)
    notes.push(`${anchor.description} has ${unreadable} lines that cannot be read (a crash while writing leaves one)`);
  if (unanchored && unanchored.count > onTheirWay) findings.push(missingInAnchor(unanchored));
  else for (const number of numbersOf(unanchored)) notes.push(`checkpoint ${number} is not in the anchor yet`);
  findings.push(...chain.finish());
  const learn = async (chains: Iterable<string>): Promise<readonly Finding[]> => {
    const asked = new Set([...chains].filter((one) => chain.digestOf(one) !== undefined));
    if (asked.size === 0) return [];
    const again = await readCheckpoints({ store, anchor, verifier, keeps: asked });
    return [...asked].filter((one) => !chain.learn(one, again.chain)).map(changedMeanwhile);
  };
  return { chain, findings, notes, unanchored, anchored: anchoredCount, learn };
}

function changedMeanwhile(chain: string): Finding {
  const text = `what the checkpoints state about ${chain} changed while they were being read`;
  return { kind: 'checkpoint-inconsistent', chain, text };
}

/** The copies under one number. */
interface Copies {
  readonly stored?: StoredCheckpoint;
  readonly anchored?: SignedCheckpoint;
  /** The anchor has ended before this number. */
  readonly isBehindAnchor?: true;
}

/** An odd line of the anchor: one that cannot be read, the last one repeated, or one after a higher number. */
interface Odd {
  readonly odd: 'unreadable' | 'again' | SignedCheckpoint;
}

type Found = Copies | Odd;

/** By number, ascending. */
async function* sideBySide(store: Pick<AuditStore, 'checkpoints'>, anchor: Anchor): AsyncGenerator<Found, undefined> {
  let inDatabase = databaseCheckpoints(store, lowestInteger);
  let row = await inDatabase.next();
  let lastStored = lowestInteger;
  let mayHaveGrown = true;
  const nextRow = async (): Promise<typeof row> => {
    if (!row.done) lastStored = row.value.number;
    return inDatabase.next();
  };
  let last: SignedCheckpoint | undefined;
  for await (const lines of anchor.read())
    for (const line of lines) {
      // Identical text is parsed once.
      const entry = !row.done && row.value.text === line && row.value.signed ? row.value.signed : checkpointOfLine(line);
      if (!entry) {
        yield { odd: 'unreadable' };
        continue;
      }
      const { number } = entry.checkpoint;
      if (last && number <= last.checkpoint.number) {
        yield { odd: isSame(entry, last) ? 'again' : entry };
        continue;
      }
      last = entry;
      for (; !row.done && row.value.number < number; row = await nextRow()) yield { stored: row.value };
      // The notary continues meanwhile, and writes to the database first: what the anchor has now may have reached the database only after its end was read.
      if (row.done && mayHaveGrown && lastStored < number) {
        inDatabase = databaseCheckpoints(store, lastStored);
        row = await inDatabase.next();
        mayHaveGrown = !row.done;
        for (; !row.done && row.value.number < number; row = await nextRow()) yield { stored: row.value };
      }
      if (!row.done && row.value.number === number) {
        yield { stored: row.value, anchored: entry };
        row = await nextRow();
      } else yield { anchored: entry };
    }
  for (; !row.done; row = await nextRow()) yield { stored: row.value, isBehindAnchor: true };
}

interface CheckedCopies extends Copies {
  readonly areSame: boolean;
  /** Whether its signature is valid. */
  readonly isStoredSigned: boolean;
  readonly isAnchoredSigned: boolean;
}

/** From last to first: a checkpoint named by a genuine one needs no signature check. */
function checked(all: readonly Found[], verifier: SignatureVerifier): readonly (CheckedCopies | Odd)[] {
  let next: SignedCheckpoint | undefined;
  const isSigned = (signed: SignedCheckpoint | undefined): boolean =>
    signed !== undefined && ((next && vouchesFor(next, signed)) || verifier.verify(signedBytesOf(signed)));
  const made = all.toReversed().map((found): CheckedCopies | Odd => {
    if ('odd' in found) return found;
    const { stored, anchored } = found;
    const areSame = stored?.signed !== undefined && anchored !== undefined && isSame(stored.signed, anchored);
    const isAnchoredSigned = isSigned(anchored);
    const isStoredSigned = areSame ? isAnchoredSigned : isSigned(stored?.signed);
    if (isAnchoredSigned) next = anchored;
    else next = isStoredSigned ? stored?.signed : undefined;
    return { ...found, areSame, isAnchoredSigned, isStoredSigned };
  });
  return made.reverse();
}

/** Yields the results in order. */
async function* someAtOnce<Item, Made>(
  items: AsyncIterable<Item>,
  make: (some: readonly Item[]) => readonly Made[],
): AsyncGenerator<Made, undefined> {
  let some: Item[] = [];
  for await (const item of items) {
    some.push(item);
    if (some.length < checkedAtOnce) continue;
    yield* make(some);
    some = [];
  }
  yield* make(some);
}

/** Decides which of the two copies to trust, and what is wrong with the other. */
function choose(
  { stored, anchored, areSame, isStoredSigned, isAnchoredSigned }: CheckedCopies,
  verifier: SignatureVerifier,
  before: SignedCheckpoint | undefined,
): { readonly genuine?: SignedCheckpoint; readonly finding?: Finding } {
  const checkpoint = anchored?.checkpoint.number ?? stored?.number ?? 0;
  const inAnchor = anchored && isAnchoredSigned && isByKeyOfThen(anchored, verifier, before) ? anchored : undefined;
  const signed = isStoredSigned ? stored?.signed : undefined;
  const inDatabase = signed && isByKeyOfThen(signed, verifier, before) ? signed : undefined;
  const found = (kind: Finding['kind'], text: string): Finding => ({
    kind,
    checkpoint,
    text: `checkpoint ${checkpoint} ${text}`,
  });
  if (inAnchor && inDatabase) {
    if (areSame) return { genuine: inAnchor };
    return { genuine: inAnchor, finding: found('checkpoint-inconsistent', 'was signed twice with different contents') };
  }
  if (inAnchor) {
    if (!stored) return { genuine: inAnchor, finding: found('checkpoint-missing', 'was removed from the database') };
    return { genuine: inAnchor, finding: found('checkpoint-changed', 'in the database is not the one in the anchor') };
  }
  if (inDatabase) {
    return anchored
      ? {
          genuine: inDatabase,
          finding: found('anchor-changed', 'in the anchor has no valid signature, but the one in the database does'),
        }
      : { genuine: inDatabase };
  }
  return { finding: found('checkpoint-forged', 'has no valid signature by a key that the notary had then') };
}

/** Lowest INTEGER of the databases, so that a row that somebody put below 1 is read too. */
const lowestInteger = -(2 ** 31);

async function* databaseCheckpoints(
  store: Pick<AuditStore, 'checkpoints'>,
  after: number,
): AsyncGenerator<StoredCheckpoint, undefined> {
  for (let next = store.checkpoints({ after }); ; ) {
    const rows = await next;
    const last = rows.at(-1);
    if (!last) return undefined;
    // The next ones are fetched while these are checked.
    next = store.checkpoints({ after: last.number });
    next.catch(() => undefined);
    yield* rows;
  }
}

function isSame(a: SignedCheckpoint, b: SignedCheckpoint): boolean {
  return a === b || checkpointText(a) === checkpointText(b);
}

function outOfOrder({ checkpoint: { number } }: SignedCheckpoint): Finding {
  return { kind: 'anchor-changed', checkpoint: number, text: `the anchor names checkpoint ${number} out of order` };
}

function longer(run: CheckpointRun | undefined, { checkpoint: { number } }: SignedCheckpoint): CheckpointRun {
  return { first: run?.first ?? number, last: number, count: (run?.count ?? 0) + 1 };
}

/** At most two numbers. */
function numbersOf(run: CheckpointRun | undefined): Iterable<number> {
  return new Set(run ? [run.first, run.last] : []);
}

/** One finding for all of them: there may be half a million if the anchor is new. */
function missingInAnchor({ first, last, count }: CheckpointRun): Finding {
  const which = count === 1 ? `checkpoint ${first} is` : `${count} checkpoints, from ${first} to ${last}, are`;
  return { kind: 'anchor-missing', checkpoint: first, text: `${which} in the database, but not in the anchor` };
}
