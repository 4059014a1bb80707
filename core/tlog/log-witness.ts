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

/** A third party that keeps the newest head of a log that it has seen, and signs another one only if the log has grown and nothing in it has changed. */
export interface LogWitness {
  readonly key: NoteKey;
  /** Never rejects because of what the witness says; @throws FB_ERR_UNAVAILABLE when there is no answer. */
  cosign(asked: CosignRequest): Promise<CosignAnswer>;
}

/** `proof`: shows that the log begins with the `from` entries that the witness has seen. */
export interface CosignRequest {
  readonly from: number;
  readonly proof: readonly Uint8Array[];
  /** The note as a text. */
  readonly note: string;
}

export type CosignAnswer =
  | { readonly signatures: readonly NoteSignature[] }
  /** The number of entries that the witness has seen, which differs from the number stated. */
  | { readonly size: number }
  | { readonly refused: string };

/** A witness's proof of having seen a head, with the time in seconds since 1970. */
export interface Cosigned {
  readonly signature: NoteSignature;
  readonly seconds: number;
}

/** The witness's own signature over a note; undefined if there is no valid one. */
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
