import type { Finding } from '../../core/audit/audit-report.ts';
import { checkpointBytes, type SignedCheckpoint, staleAfterMs } from '../../core/audit/checkpoint.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier } from '../../core/messages/signing.ts';
import { type LogFiles, LogTree, logHeadPath } from '../../core/tlog/log-tree.ts';
import { type Cosigned, cosignedBy, isNoteSigned } from '../../core/tlog/log-witness.ts';
import {
  type LogNote,
  type NoteKey,
  noteKeyId,
  parseLogNote,
  parseVerifierKey,
  pemOf,
  rawKeyOf,
  toHex,
} from '../../core/tlog/signed-note.ts';
import { createVerifier } from '../../integrations/keys/ed25519.ts';

/** Where a log is, and which signatures it must have. */
export interface ExpectedLog {
  readonly files: Pick<LogFiles, 'read' | 'description'>;
  /** Keys under the name of the log: one of them must have signed it. */
  readonly keys: readonly [NoteKey, ...NoteKey[]];
  readonly witnesses: readonly NoteKey[];
  /** Trusts the keys, and those of the witnesses. */
  readonly verifier: SignatureVerifier;
}

/** Compares a log with the genuine checkpoints, which it receives in order. */
interface LogCheck {
  readonly take: (signed: SignedCheckpoint) => void;
  /** Returns what is wrong with the log as of a time: it may be behind by as much as the newest checkpoint. */
  readonly finish: (asOf: Date) => readonly Finding[];
}

interface Witnessed {
  readonly key: NoteKey;
  readonly said: LogNote | undefined;
  readonly cosigned: Cosigned | undefined;
}

/**
 * Reads the current state of the log. Call this before the checkpoints are read, because they are ahead of it. @throws FB_ERR_UNAVAILABLE,
 * FB_ERR_CONFIG_INVALID.
 */
export async function beginLogCheck({ files, keys, witnesses, verifier }: ExpectedLog): Promise<LogCheck> {
  const { name: origin } = keys[0];
  const head = await readLogNote(files, origin);
  const witnessed = await readWitnessed({ files, keys, witnesses, verifier });
  const where = files.description;
  const roots = new Map<number, string>();
  const wanted = new Set([head, ...witnessed.map(({ said }) => said)].map((said) => said?.size));
  /** Nothing is compared beyond the longest known size. */
  const longest = Math.max(0, ...[...wanted].map((size = 0) => size));
  const tree = new LogTree();
  let taken = 0;
  let firstAt: string | undefined;
  let nextAt: string | undefined;
  return {
    take: (signed) => {
      const { number, at } = signed.checkpoint;
      // After a gap nothing can be compared; the check of the checkpoints reports the gap itself.
      if (number !== taken + 1) return;
      taken = number;
      if (number <= longest) tree.append(logEntry(signed));
      firstAt ??= at;
      if (number === (head?.size ?? 0) + 1) nextAt = at;
      if (wanted.has(number)) roots.set(number, toHex(tree.root()));
    },
    finish: (asOf) => {
      const isOld = (at: string | undefined): boolean => at !== undefined && Date.parse(at) < asOf.getTime() - staleAfterMs;
      const findings: Finding[] = [];
      const found = (kind: Finding['kind'], text: string): void => void findings.push({ kind, text });
      const isOther = (said: LogNote): boolean => roots.get(said.size) !== said.root;
      if (!head && isOld(firstAt)) found('log-behind', `there is no log in ${where}`);
      if (head && !keys.some((key) => isNoteSigned(head.note, key, verifier)))
        found('log-forged', `the log in ${where} has no valid signature of ${origin}`);
      else if (head && isOther(head))
        found(
          'log-forked',
          taken < head.size
            ? `the log in ${where} has ${head.size} checkpoints, but the database only the first ${taken}`
            : `the log in ${where} does not match its ${head.size} checkpoints`,
        );
      else if (head && isOld(nextAt))
        found('log-behind', `the log in ${where} ends at checkpoint ${head.size}: later ones are missing`);
      for (const { key: witness, said, cosigned } of witnessed) {
        const { name } = witness;
        if (said && cosigned && isOther(said))
          found('log-forked', `the witness ${name} has signed ${said.size} checkpoints that differ from the stored ones`);
        const seen = cosigned && new Date(cosigned.seconds * 1_000).toISOString();
        if (seen ? isOld(seen) : isOld(firstAt))
          found(
            'witness-missing',
            seen ? `the witness ${name} has signed nothing since ${seen}` : `the witness ${name} has signed nothing`,
          );
      }
      return findings;
    },
  };
}

/** Whether a finding only says that the log, or a witness, has not come as far. */
export function isLate(kind: Finding['kind']): boolean {
  return kind === 'log-behind' || kind === 'witness-missing';
}

/** Returns what each witness has last signed. @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFIG_INVALID. */
export function readWitnessed({ files, keys, witnesses, verifier }: ExpectedLog): Promise<readonly Witnessed[]> {
  return Promise.all(
    witnesses.map(async (witness) => {
      const said = await readLogNote(files, keys[0].name, witnessedPath(witness));
      return { key: witness, said, cosigned: said && cosignedBy(said.note, witness, verifier) };
    }),
  );
}

/** Returns the keys of a log and of its witnesses; the log is signed with the first of the public keys (PEM). @throws FB_ERR_CONFIG_INVALID */
export function logKeys({
  name,
  witnesses,
  publicKeys,
}: {
  readonly name: string;
  /** `NAME+ID+KEY`. */
  readonly witnesses: readonly string[];
  readonly publicKeys: readonly [string, ...string[]];
}): Omit<ExpectedLog, 'files'> {
  const asKey = (pem: string): NoteKey => {
    const publicKey = rawKeyOf(pem);
    if (publicKey) return { name, type: 'note', publicKey };
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'a public key of the notary is not an Ed25519 key in PEM');
  };
  const [first, ...others] = publicKeys;
  const keys = witnesses.map((text) => {
    const key = parseVerifierKey(text);
    if (key?.type === 'cosignature') return key;
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${text.split('+')[0]} is not a key of a witness: NAME+ID+KEY is needed`);
  });
  const verifier = createVerifier({ publicKeys: [...publicKeys, ...keys.map(pemOf)] });
  return { keys: [asKey(first), ...others.map(asKey)], witnesses: keys, verifier };
}

/** Returns what the log contains of a checkpoint: what the notary signs of it, and therefore no name of an incident. */
export function logEntry(signed: SignedCheckpoint): string {
  return new TextDecoder().decode(checkpointBytes(signed.checkpoint));
}

/** Path of the newest note that this witness has signed. */
export function witnessedPath(key: NoteKey): string {
  return `witnessed/${toHex(noteKeyId(key))}`;
}

/**
 * Reads a note of the log without trusting it; undefined if the file is missing or is not a note.
 * @throws FB_ERR_UNAVAILABLE, FB_ERR_CONFIG_INVALID if another log is there.
 */
export async function readLogNote(
  files: Pick<LogFiles, 'read' | 'description'>,
  origin: string,
  path: string = logHeadPath,
): Promise<LogNote | undefined> {
  const bytes = await files.read(path);
  const said = bytes && parseLogNote(new TextDecoder().decode(bytes));
  if (!said || said.origin === origin) return said;
  throw new FirebreakError(
    'FB_ERR_CONFIG_INVALID',
    `${files.description} has the log ${said.origin}, not ${origin}: give each log its own place`,
  );
}
