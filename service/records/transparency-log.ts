import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { heartbeatMs, type SignedCheckpoint } from '../../core/audit/checkpoint.ts';
import { follows, isGenuine } from '../../core/audit/checkpoint-chain.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { SignatureVerifier, Signer } from '../../core/messages/signing.ts';
import { consistencyProof, type LogFile, type LogFiles, LogTree, logHeadPath } from '../../core/tlog/log-tree.ts';
import { cosignedBy, isNoteSigned, type LogWitness } from '../../core/tlog/log-witness.ts';
import {
  fromBase64,
  logHeadText,
  type Note,
  type NoteKey,
  type NoteSignature,
  noteKeyId,
  noteText,
  signaturesBy,
  toHex,
} from '../../core/tlog/signed-note.ts';
import { logEntry, readLogNote, witnessedPath } from './log-check.ts';
import { type LogBeginning, once } from './notary.ts';
import { readCheckpoints } from './read-checkpoints.ts';

export interface TransparencyLogOptions {
  readonly store: Pick<AuditStore, 'checkpoints'>;
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
  readonly now?: () => Date;
}

export interface TransparencyLog {
  /**
   * For the notary, which reads all checkpoints when it starts: the log is made from the same reading. @throws FB_ERR_UNAVAILABLE, FB_ERR_AUDIT_DAMAGED for a
   * while after it did not match: each attempt reads all checkpoints.
   */
  begin(): Promise<LogBeginning>;
  /**
   * Adds to the log what has been signed since, and asks the witnesses. @throws FB_ERR_UNAVAILABLE, FB_ERR_AUDIT_DAMAGED if the log and the checkpoints do not
   * match.
   */
  publish(): Promise<void>;
}

interface LogState {
  readonly tree: LogTree;
  last: SignedCheckpoint | undefined;
  /** What the log states, with all signatures so far. */
  said: { readonly size: number; readonly note: Note } | undefined;
}

/**
 * Publishes the chain of checkpoints as a transparency log that third-party tools can read: entry `n` is checkpoint `n`. It is built from the genuine
 * checkpoints alone, so it may be killed at any time; the content of its folder is never trusted, only compared. A log that goes further than the checkpoints,
 * or differs from them, is left as it is: it is the proof that somebody rolled back.
 */
export function createTransparencyLog(options: TransparencyLogOptions): TransparencyLog {
  const { store, verifier, noteVerifier, signer, key, files, witnesses, now = () => new Date() } = options;
  const alarm = once(options.onAlarm);
  const seen = new Map<string, number>();
  const refusing = new Set<string>();
  let state: LogState | undefined;
  let damage: { readonly error: FirebreakError; readonly at: number } | undefined;

  const write = async (file: LogFile, isNew: boolean): Promise<void> => {
    const there = isNew ? undefined : await files.read(file.path);
    if (there && Buffer.from(there).equals(file.bytes)) return;
    if (there) alarm({ kind: 'log-changed', text: `${files.description}: ${file.path} did not match the checkpoints` });
    await files.write(file);
  };

  const damaged = (text: string): FirebreakError => {
    alarm({ kind: 'log-forked', text });
    const error = new FirebreakError('FB_ERR_AUDIT_DAMAGED', text);
    damage = { error, at: now().getTime() };
    return error;
  };

  const begin = async (): Promise<LogBeginning> => {
    if (damage && now().getTime() - damage.at < heartbeatMs) throw damage.error;
    const said = await readLogNote(files, key.name);
    const made: LogState = { tree: new LogTree(), last: undefined, said: said && { size: said.size, note: said.note } };
    let missing: number | undefined;
    return {
      size: said?.size ?? 0,
      take: async (signed) => {
        if (!follows(signed.checkpoint, made.last)) missing ??= made.tree.size + 1;
        if (missing !== undefined) return;
        for (const file of made.tree.append(logEntry(signed))) await write(file, false);
        made.last = signed;
        if (said?.size === made.tree.size && said.root !== toHex(made.tree.root()))
          throw damaged(`${files.description} does not match the first ${said.size} checkpoints`);
      },
      end: () => {
        const { size } = made.tree;
        if (missing !== undefined)
          throw damaged(`checkpoint ${missing} is not in the database as it was signed, but later ones are`);
        if (said && said.size > size)
          throw damaged(`${files.description} has ${said.size} checkpoints, of which only ${size} exist`);
        damage = undefined;
        state = made;
      },
    };
  };

  /** For a log that was not begun with its notary, or whose files could not be written since. */
  const beginAlone = async (): Promise<LogState> => {
    const beginning = await begin();
    await readCheckpoints({ store, verifier, keeps: 'last', each: beginning.take });
    beginning.end();
    if (!state) throw new FirebreakError('FB_ERR_INTERNAL', 'the log has not begun');
    return state;
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
    const current = state ?? (await beginAlone());
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
    begin,
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
