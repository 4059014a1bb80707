import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore, StoredCheckpoint } from '../../core/audit/audit-store.ts';
import type { Anchor, SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { CheckpointChain, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { canonicalJson } from '../../core/text/digest.ts';

interface ReadCheckpoints {
  readonly chain: CheckpointChain;
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
  /** Genuine ones at the end of the database that the anchor does not have. */
  readonly unanchored: readonly SignedCheckpoint[];
  /** How many the anchor has, whoever signed them. */
  readonly anchored: number;
}

/** The notary writes the database first, then the anchor: so many of the newest may be on their way. */
const onTheirWay = 2;

/** Reads the checkpoints of the database and of the anchor side by side, number by number, and follows the genuine ones. */
export async function readCheckpoints({
  store,
  anchor,
  verifier,
  remember = [],
  each,
}: {
  readonly store: Pick<AuditStore, 'checkpoints'>;
  readonly anchor: Anchor;
  readonly verifier: SignatureVerifier;
  /** The numbers of checkpoints that the chain keeps at hand. */
  readonly remember?: readonly number[];
  /** Is given the genuine ones, in their order. */
  readonly each?: (genuine: SignedCheckpoint) => void | Promise<void>;
}): Promise<ReadCheckpoints> {
  const chain = new CheckpointChain({ remember });
  const findings: Finding[] = [];
  const notes: string[] = [];
  let unanchored: SignedCheckpoint[] = [];
  let unreadable = 0;
  let anchoredCount = 0;
  const inDatabase = databaseCheckpoints(store);
  let row = await inDatabase.next();

  const take = async (stored: StoredCheckpoint | undefined, anchored: SignedCheckpoint | undefined): Promise<void> => {
    const { genuine, finding } = choose({ stored, anchored, verifier, before: chain.last });
    if (finding) findings.push(finding);
    if (anchored && unanchored.length > 0) findings.push(...unanchored.map(missingInAnchor));
    if (anchored) unanchored = [];
    else if (genuine) unanchored.push(genuine);
    if (!genuine) return;
    findings.push(...chain.follow(genuine));
    await each?.(genuine);
  };

  let lastAnchored: SignedCheckpoint | undefined;
  for await (const entry of anchor.read()) {
    if (typeof entry === 'string') {
      unreadable += 1;
      continue;
    }
    anchoredCount += 1;
    const { number } = entry.checkpoint;
    if (lastAnchored && number <= lastAnchored.checkpoint.number) {
      if (isSame(entry, lastAnchored)) continue;
      findings.push({ kind: 'anchor-changed', checkpoint: number, text: `the anchor names checkpoint ${number} out of order` });
      continue;
    }
    lastAnchored = entry;
    for (; !row.done && row.value.number < number; row = await inDatabase.next()) await take(row.value, undefined);
    if (!row.done && row.value.number === number) {
      await take(row.value, entry);
      row = await inDatabase.next();
    } else await take(undefined, entry);
  }
  for (; !row.done; row = await inDatabase.next()) await take(row.value, undefined);

  if (unreadable > 0)
    notes.push(`${anchor.description} has ${unreadable} lines that cannot be read (a crash while writing leaves one)`);
  if (unanchored.length > onTheirWay) findings.push(...unanchored.map(missingInAnchor));
  else for (const { checkpoint } of unanchored) notes.push(`checkpoint ${checkpoint.number} is not in the anchor yet`);
  findings.push(...chain.finish());
  return { chain, findings, notes, unanchored, anchored: anchoredCount };
}

/** Which of the two copies to believe, and what is wrong with the other. */
function choose({
  stored,
  anchored,
  verifier,
  before,
}: {
  readonly stored: StoredCheckpoint | undefined;
  readonly anchored: SignedCheckpoint | undefined;
  readonly verifier: SignatureVerifier;
  readonly before: SignedCheckpoint | undefined;
}): { readonly genuine?: SignedCheckpoint; readonly finding?: Finding } {
  const checkpoint = anchored?.checkpoint.number ?? stored?.number ?? 0;
  const inAnchor = anchored && isGenuine(anchored, verifier, before) ? anchored : undefined;
  const inDatabase = stored?.signed && isGenuine(stored.signed, verifier, before) ? stored.signed : undefined;
  const found = (kind: Finding['kind'], text: string): Finding => ({
    kind,
    checkpoint,
    text: `checkpoint ${checkpoint} ${text}`,
  });
  if (inAnchor && inDatabase) {
    if (isSame(inAnchor, inDatabase)) return { genuine: inAnchor };
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
          finding: found('anchor-changed', 'in the anchor has no valid signature, the one in the database has'),
        }
      : { genuine: inDatabase };
  }
  return { finding: found('checkpoint-forged', 'has no valid signature by a key that the notary had then') };
}

/** Of the databases' INTEGER: a row that somebody put below 1 is read too. */
const lowestInteger = -(2 ** 31);

async function* databaseCheckpoints(store: Pick<AuditStore, 'checkpoints'>): AsyncGenerator<StoredCheckpoint, undefined> {
  let after = lowestInteger;
  for (;;) {
    const rows = await store.checkpoints({ after });
    yield* rows;
    const last = rows.at(-1);
    if (!last) return undefined;
    after = last.number;
  }
}

function isSame(a: SignedCheckpoint, b: SignedCheckpoint): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function missingInAnchor({ checkpoint: { number } }: SignedCheckpoint): Finding {
  return { kind: 'anchor-missing', checkpoint: number, text: `checkpoint ${number} is in the database, but not in the anchor` };
}
