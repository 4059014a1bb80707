import { type ChainHead, removedRecord, type SignedRecord, storedRecord } from '../../core/audit/audit.ts';
import type { BodyWanted, RecordProof, StoredCheckpoint, StoredRecord } from '../../core/audit/audit-store.ts';
import { checkpointText, parseCheckpoint } from '../../core/audit/checkpoint.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { Row } from './queries.ts';
import { numberOf, textOf } from './row.ts';

export const recordColumns =
  'chain, place, number, at, kind, actor, body, key_id, follows, salt, signature, removed, previous, hash';

/** Undefined for a row that none of our programs writes: SQLite accepts text in a number column. */
export function headFromRow({ chain, number, hash }: Row): ChainHead | undefined {
  if (typeof chain !== 'string' || typeof hash !== 'string' || !Number.isSafeInteger(number)) return undefined;
  return { chain, number: Number(number), hash };
}

/** The columns that prove a record, without its position among the rows of its chain. */
export const proofColumns = 'chain, place, number, at, kind, actor, body, key_id, follows, salt, signature, removed';

export function recordFromRow(row: Row): StoredRecord {
  return checkedFromRow(row, all);
}

/** @param isWanted selects the records whose body is read, as in `proofFromRow` */
export function checkedFromRow(row: Row, isWanted: BodyWanted): StoredRecord {
  const chain = textOf(row, 'chain');
  const place = numberOf(row, 'place');
  const signed = signedIn(row, chain, isWanted);
  const [previous, hash] = [asText(row.previous), asText(row.hash)];
  return signed ? { chain, place, previous, hash, signed } : { chain, place, previous, hash };
}

/**
 * The digest covers the stored text, so a record whose body means the same but is written differently has no valid signature.
 * @param isWanted selects the records whose body is read: all others have an empty body, and the hash of their content is known
 */
export function proofFromRow(row: Row, isWanted: BodyWanted): RecordProof {
  const chain = textOf(row, 'chain');
  const place = numberOf(row, 'place');
  const signed = signedIn(row, chain, isWanted);
  return signed ? { chain, place, signed } : { chain, place };
}

function signedIn(row: Row, chain: string, isWanted: BodyWanted): SignedRecord | undefined {
  const { number, at, kind, actor, key_id: keyId, follows, salt, signature, removed } = row;
  if (typeof number !== 'number' || typeof at !== 'string' || typeof kind !== 'string' || typeof actor !== 'string')
    return undefined;
  if (typeof keyId !== 'string' || typeof follows !== 'string' || typeof salt !== 'string') return undefined;
  if (typeof signature !== 'string' || typeof removed !== 'string') return undefined;
  if (removed !== '') {
    // Content next to the hash was signed by nobody, so the record does not count as removed.
    if (!isHash(removed) || [salt, actor, row.body].some((left) => left !== '')) return undefined;
    return { record: removedRecord({ chain, number, at, kind }), keyId, follows, salt, signature, removed };
  }
  const bodyText = asText(row.body);
  const body = isWanted({ kind, at }) ? parsed(bodyText) : unread;
  if (!isObject(body)) return undefined;
  const record = storedRecord({ chain, number, at, kind, actor, body }, bodyText, salt);
  return { record, keyId, follows, salt, signature };
}

const all: BodyWanted = () => true;
const unread = {};

function isHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** A value that should be text and is not matches nothing: the check of the chain reports it. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function checkpointFromRow(row: Row): StoredCheckpoint {
  const number = numberOf(row, 'number');
  const text = asText(row.content);
  const signed = parseCheckpoint(text);
  // A text that means the same but is written differently was not written by us.
  return signed?.checkpoint.number === number && checkpointText(signed) === text ? { number, text, signed } : { number, text };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
