import type { SignatureVerifier } from '../messages/signing.ts';
import { keyIdOf } from '../messages/signing.ts';
import {
  cosignedText,
  type Note,
  type NoteKey,
  type NoteSignature,
  parseCosignature,
  signaturesBy,
  spkiOf,
  toBase64,
} from './signed-note.ts';

/** Somebody else who keeps the newest head of a log that they have seen, and signs another one only where the log has grown and nothing of it has changed. */
export interface LogWitness {
  readonly key: NoteKey;
  /** Never rejects for what the witness says; @throws FB_ERR_UNAVAILABLE when there is no answer. */
  cosign(asked: CosignRequest): Promise<CosignAnswer>;
}

/** `proof`: that the log begins with what the witness has seen, `from` entries. */
export interface CosignRequest {
  readonly from: number;
  readonly proof: readonly Uint8Array[];
  /** The note as a text. */
  readonly note: string;
}

export type CosignAnswer =
  | { readonly signatures: readonly NoteSignature[] }
  /** It has seen so many entries, and not as many as was said. */
  | { readonly size: number }
  | { readonly refused: string };

/** What a witness has shown to have seen: when, in seconds since 1970. */
export interface Cosigned {
  readonly signature: NoteSignature;
  readonly seconds: number;
}

/** The witness's own signature over a note; undefined where there is none that fits. */
export function cosignedBy(note: Note, key: NoteKey, verifier: SignatureVerifier): Cosigned | undefined {
  for (const signature of signaturesBy(note, key)) {
    const found = parseCosignature(signature.signature);
    if (found && isSignedBy(key, cosignedText(note.text, found.seconds), found.signature, verifier))
      return { signature, seconds: found.seconds };
  }
  return undefined;
}

/** Whether a log's own key has signed the note. */
export function isNoteSigned(note: Note, key: NoteKey, verifier: SignatureVerifier): boolean {
  return signaturesBy(note, key).some(({ signature }) => isSignedBy(key, note.text, signature, verifier));
}

function isSignedBy(key: NoteKey, text: string, signature: Uint8Array, verifier: SignatureVerifier): boolean {
  const bytes = new TextEncoder().encode(text);
  return verifier.verify({ keyId: keyIdOf(spkiOf(key)), bytes, signature: toBase64(signature) });
}
