import type { AuditRecord, ChainHead } from '../../core/audit.ts';
import type { StoredCheckpoint, StoredRecord } from '../../core/audit-store.ts';
import { asSignedCheckpoint } from '../../core/checkpoint.ts';
import { canonicalJson } from '../../core/digest.ts';
import { isObject } from '../../core/plain-json.ts';
import type { Row } from './database.ts';
import { numberOf, textOf } from './row.ts';

export function headFromRow(row: Row): ChainHead {
  return { chain: textOf(row, 'chain'), number: numberOf(row, 'number'), hash: textOf(row, 'hash') };
}

export function recordFromRow(row: Row): StoredRecord {
  const chain = textOf(row, 'chain');
  const number = numberOf(row, 'number');
  const body = canonical(textOf(row, 'body'));
  const place = { chain, number, previous: textOf(row, 'previous'), hash: textOf(row, 'hash') };
  if (!isObject(body)) return place;
  const record: AuditRecord = {
    chain,
    number,
    at: textOf(row, 'at'),
    kind: textOf(row, 'kind'),
    actor: textOf(row, 'actor'),
    body,
  };
  return { ...place, record };
}

export function checkpointFromRow(row: Row): StoredCheckpoint {
  const number = numberOf(row, 'number');
  const signed = asSignedCheckpoint(canonical(textOf(row, 'content')));
  return signed?.checkpoint.number === number ? { number, signed } : { number };
}

/** The value of a text that is canonical JSON, undefined for any other: what means the same but reads otherwise was not written here. */
function canonical(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return canonicalJson(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}
