import { isConsistent } from './log-tree.ts';
import type { CosignAnswer, CosignRequest } from './log-witness.ts';
import {
  fromBase64,
  fromHex,
  type LogHead,
  type Note,
  parseLogHead,
  parseNote,
  parseSignatures,
  toBase64,
} from './signed-note.ts';

/** Requests to a witness and its answers over HTTP, as in C2SP's tlog-witness (https://c2sp.org/tlog-witness). */

export const addCheckpointPath = '/add-checkpoint';
/** Maximum size of a body: 63 lines of proof, and a note with many signatures. */
export const mostRequestBytes = 64 * 1_024;
export const sizeType = 'text/x.tlog.size';

const mostProofLines = 63;

export function requestText({ from, proof, note }: CosignRequest): string {
  return `old ${from}\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${note}`;
}

interface ReadRequest extends Omit<CosignRequest, 'note'> {
  readonly note: Note;
  readonly head: LogHead;
}

/** Undefined if it is not such a request. */
export function parseRequest(text: string): ReadRequest | undefined {
  const end = text.indexOf('\n\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\n');
  const [, size] = /^old (0|[1-9]\d{0,15})$/.exec(first) ?? [];
  const proof = lines.map(fromBase64).filter((hash) => hash?.length === 32);
  const note = parseNote(text.slice(end + 2));
  const head = note && parseLogHead(note.text);
  const hashes = proof.filter((hash) => hash !== undefined);
  if (size === undefined || !head || hashes.length !== lines.length || lines.length > mostProofLines) return undefined;
  return { from: Number(size), proof: hashes, note, head };
}

export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly body: string;
}

/** A witness's required answer to a request from a known log whose note is signed; undefined if it may sign. `seen`: the last head that it has signed. */
export function objection({ from, proof, head }: ReadRequest, seen: LogHead | undefined): WitnessAnswer | undefined {
  if (from > head.size) return { status: 400, body: 'the old size is larger than the new one\n' };
  const size = seen?.size ?? 0;
  if (from !== size) return { status: 409, body: `${size}\n` };
  if (from === head.size && seen && seen.root !== head.root) return { status: 409, body: `${size}\n` };
  if (!seen) return proof.length === 0 ? undefined : { status: 422, body: 'a new log needs no proof\n' };
  const given = { from, size: head.size, fromRoot: fromHex(seen.root), root: fromHex(head.root), proof };
  return isConsistent(given) ? undefined : { status: 422, body: 'the proof does not show that the log has only grown\n' };
}

/** Parses an answer; undefined if it is not a valid witness answer. */
export function parseAnswer({
  status,
  body,
  type,
}: {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}): CosignAnswer | undefined {
  if (status === 200) {
    const signatures = parseSignatures(body);
    return signatures ? { signatures } : { refused: 'its answer is not a list of signatures' };
  }
  if (status === 409 && type === sizeType) {
    const [, size] = /^(0|[1-9]\d{0,15})\n$/.exec(body) ?? [];
    return size === undefined ? { refused: 'it has seen another log' } : { size: Number(size) };
  }
  if (status === 409) return { refused: 'it has seen another log' };
  const why = refusals.get(status);
  return why === undefined ? undefined : { refused: why };
}

const refusals: ReadonlyMap<number, string> = new Map([
  [400, 'it cannot read the request'],
  [403, 'it does not know the notary’s key'],
  [404, 'it does not know this log'],
  [422, 'the proof does not match what it has seen'],
]);
