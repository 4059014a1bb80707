import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { type Anchor, checkpointBytes, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { follows, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { consistencyProof, type LogFile, type LogFiles, LogTree, logHeadPath } from '../../core/tlog/log-tree.ts';
import { cosignedBy, isNoteSigned, type LogWitness } from '../../core/tlog/log-witness.ts';
import {
  fromBase64,
  type LogNote,
  logHeadText,
  type Note,
  type NoteKey,
  type NoteSignature,
  noteKeyId,
  noteText,
  parseLogNote,
  signaturesBy,
  toHex,
} from '../../core/tlog/signed-note.ts';
import { type CheckpointFollower, once } from './notary.ts';
import { readCheckpoints } from './read-checkpoints.ts';

export interface TransparencyLogOptions {
  readonly store: Pick<AuditStore, 'checkpoints'>;
  readonly anchor: Anchor;
  /** Trusts only the notary's keys: a witness cannot sign a checkpoint. */
  readonly verifier: SignatureVerifier;
  /** Also trusts the keys of the witnesses: for the notes of the log. */
  readonly noteVerifier: SignatureVerifier;
  /** The notary's signer. */
  readonly signer: Signer;
  /** Its public key, under the log's name. */
  readonly key: NoteKey;
  readonly files: LogFiles;
  readonly witnesses: readonly LogWitness[];
  /** Called if the log or a witness shows that what was signed differs from what exists. Once per finding. */
  readonly onAlarm: (finding: Finding) => void;
  /** Called if a witness did not answer; it is asked again with the next round. */
  readonly onError: (error: unknown) => void;
}

export interface TransparencyLog {
  /**
   * For the notary, which reads all checkpoints when it starts, so that they are read once for both. Undefined if the log has begun. Abandoned if the log
   * cannot be read or is much slower than the notary: the log then reads the checkpoints itself, with its first `publish`.
   */
  beginWith(): CheckpointFollower | undefined;
  /**
   * Adds to the log what has been signed since, and asks the witnesses. @throws FB_ERR_UNAVAILABLE, FB_ERR_AUDIT_DAMAGED if the log and the checkpoints do not
   * match.
   */
  publish(): Promise<void>;
}

/** Maximum number of checkpoints that wait for the log's files before the log has to read by itself. */
const mostWaiting = 2_000;

interface LogState {
  readonly tree: LogTree;
  last: SignedCheckpoint | undefined;
  /** What the log states, with all signatures so far. */
  said: { readonly size: number; readonly note: Note } | undefined;
}

interface Beginning {
  readonly take: (signed: SignedCheckpoint) => Promise<void>;
  readonly finish: () => LogState;
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
 * Publishes the chain of checkpoints as a transparency log that third-party tools can read: entry `n` is checkpoint `n`. It is built from the genuine
 * checkpoints alone, so it may be killed at any time; the content of its folder is never trusted, only compared. A log that goes further than the checkpoints,
 * or differs from them, is left as it is: it is the proof that somebody rolled back.
 */
export function createTransparencyLog(options: TransparencyLogOptions): TransparencyLog {
  const { store, anchor, verifier, noteVerifier, signer, key, files, witnesses } = options;
  const alarm = once(options.onAlarm);
  const seen = new Map<string, number>();
  const refusing = new Set<string>();
  let state: LogState | undefined;

  const write = async (file: LogFile, isNew: boolean): Promise<void> => {
    const there = isNew ? undefined : await files.read(file.path);
    if (there && Buffer.from(there).equals(file.bytes)) return;
    if (there) alarm({ kind: 'log-changed', text: `${files.description}: ${file.path} did not match the checkpoints` });
    await files.write(file);
  };

  const damaged = (text: string): FirebreakError => {
    alarm({ kind: 'log-forked', text });
    return new FirebreakError('FB_ERR_AUDIT_DAMAGED', text);
  };

  const beginning = async (): Promise<Beginning> => {
    const said = await readLogNote(files, key.name);
    const made: LogState = { tree: new LogTree(), last: undefined, said: said && { size: said.size, note: said.note } };
    let isBroken = false;
    return {
      take: async (signed) => {
        isBroken ||= !follows(signed.checkpoint, made.last);
        if (isBroken) return;
        for (const file of made.tree.append(logEntry(signed))) await write(file, false);
        made.last = signed;
        if (said?.size === made.tree.size && said.root !== toHex(made.tree.root()))
          throw damaged(`${files.description} does not match the first ${said.size} checkpoints`);
      },
      finish: () => {
        if (said && said.size > made.tree.size)
          throw damaged(`${files.description} has ${said.size} checkpoints, of which only ${made.tree.size} exist`);
        return made;
      },
    };
  };

  let beside: Promise<LogState | undefined> | undefined;
  let hasBegun = false;

  const begin = async (): Promise<LogState> => {
    hasBegun = true;
    const made = await beside;
    beside = undefined;
    if (made) return made;
    const { take, finish } = await beginning();
    await readCheckpoints({ store, anchor, verifier, keeps: 'last', each: take });
    return finish();
  };

  const beginWith = (): CheckpointFollower | undefined => {
    if (hasBegun) return undefined;
    hasBegun = true;
    let waiting = 0;
    let isLeft = false;
    const begun = beginning();
    let taken: Promise<unknown> = begun;
    // If it was abandoned, or ended with an error, nothing waits for its end.
    taken.catch(() => undefined);
    return {
      take: (signed) => {
        isLeft ||= waiting >= mostWaiting;
        if (isLeft) return;
        waiting += 1;
        taken = taken.then(async () => {
          await (await begun).take(signed);
          waiting -= 1;
        });
        taken.catch(() => {
          isLeft = true;
        });
      },
      end: () => {
        const all = taken;
        beside = isLeft ? undefined : all.then(async () => (await begun).finish()).catch(() => undefined);
      },
    };
  };

  const followOn = async (of: LogState): Promise<void> => {
    for (;;) {
      const rows = await store.checkpoints({ after: of.last?.checkpoint.number ?? 0 });
      for (const { signed } of rows) {
        if (!signed || !follows(signed.checkpoint, of.last) || !isGenuine(signed, verifier, of.last)) return;
        for (const file of of.tree.append(logEntry(signed))) await write(file, true);
        of.last = signed;
      }
      if (rows.length === 0) return;
    }
  };

  const ask = async (witness: LogWitness, size: number, note: Note): Promise<NoteSignature | undefined> => {
    const { name } = witness.key;
    const refused = (why: string): undefined => {
      const text = `the witness ${name} does not sign the log of ${size} checkpoints: ${why}`;
      // Once, until it signs again.
      if (!refusing.has(name)) options.onAlarm({ kind: 'witness-refused', text });
      refusing.add(name);
      return undefined;
    };
    for (let tries = 0; tries < 3; tries += 1) {
      const from = seen.get(name) ?? 0;
      const answer = await witness.cosign({ from, proof: await consistencyProof(files, from, size), note: noteText(note) });
      if ('refused' in answer) return refused(answer.refused);
      if ('signatures' in answer) {
        const cosigned = cosignedBy({ text: note.text, signatures: answer.signatures }, witness.key, noteVerifier);
        if (!cosigned) return refused('its answer is not signed with its key');
        seen.set(name, size);
        refusing.delete(name);
        return cosigned.signature;
      }
      // Another desk was there first: this one catches up with its next round.
      if (answer.size > size && (await isAhead(answer.size))) return undefined;
      if (answer.size > size) return refused(`it has already seen ${answer.size} of them`);
      if (answer.size === from) return refused(`it has already seen ${from} others`);
      seen.set(name, answer.size);
    }
    return undefined;
  };

  /** Whether that many checkpoints exist by now. */
  const isAhead = async (size: number): Promise<boolean> => (await store.checkpoints({ after: size - 1 })).length > 0;

  /** Adds the signature of each witness that has not signed it yet; each is asked, whatever the others answer. */
  const cosign = async (size: number, note: Note): Promise<Note> => {
    const missing = witnesses.filter((witness) => !cosignedBy(note, witness.key, noteVerifier));
    const added = await Promise.all(
      missing.map((witness) =>
        ask(witness, size, note).catch((error: unknown) => {
          options.onError(error);
          return undefined;
        }),
      ),
    );
    const signatures = added.filter((one) => one !== undefined);
    for (const [index, signature] of added.entries()) {
      const witness = missing[index];
      if (!signature || !witness) continue;
      const bytes = new TextEncoder().encode(noteText({ text: note.text, signatures: [...own(note), signature] }));
      await files.write({ path: witnessedPath(witness.key), bytes });
    }
    return signatures.length === 0 ? note : { text: note.text, signatures: [...note.signatures, ...signatures] };
  };

  const own = (note: Note): readonly NoteSignature[] => signaturesBy(note, key);

  const say = async (of: LogState, note: Note): Promise<void> => {
    await files.write({ path: logHeadPath, bytes: new TextEncoder().encode(noteText(note)) });
    of.said = { size: of.tree.size, note };
  };

  const round = async (): Promise<void> => {
    const current = state ?? (await begin());
    // Until everything is written, the next round rebuilds the state.
    state = undefined;
    await followOn(current);
    const { tree, said } = current;
    if (tree.size === 0) {
      state = current;
      return;
    }
    let note = said?.note;
    if (!note || said?.size !== tree.size || !isNoteSigned(note, key, noteVerifier)) {
      for (const file of tree.partialFiles()) await write(file, false);
      note = await signedNote({ origin: key.name, size: tree.size, root: toHex(tree.root()) }, { key, signer });
      await say(current, note);
    }
    state = current;
    const cosigned = await cosign(tree.size, note);
    if (cosigned !== note) await say(current, cosigned);
  };

  let running: Promise<unknown> = Promise.resolve();
  return {
    beginWith,
    publish: () => {
      const next = running.then(round);
      running = next.catch(() => undefined);
      return next;
    },
  };
}

async function signedNote(
  head: Parameters<typeof logHeadText>[0],
  { key, signer }: Pick<TransparencyLogOptions, 'key' | 'signer'>,
): Promise<Note> {
  const text = logHeadText(head);
  const signature = fromBase64(await signer.sign(new TextEncoder().encode(text)));
  if (!signature) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the notary’s key produced no signature');
  return { text, signatures: [{ name: key.name, keyId: noteKeyId(key), signature }] };
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
