import { type AuditRecord, type ChainHead, genesisHash, recordHash } from '../../core/audit.ts';
import type { AuditStore, StoredChain } from '../../core/audit-store.ts';
import { canonicalJson } from '../../core/digest.ts';
import { FirebreakError } from '../../core/errors.ts';
import { plainJson } from '../../core/plain-json.ts';
import { checkpointFromRow, headFromRow, recordFromRow } from './audit-rows.ts';
import type { Database, Queries } from './database.ts';
import { placeholders, textOf } from './row.ts';

const rowsAtOnce = 100;
const checkpointsAtOnce = 500;
const recordColumns = 'chain, number, at, kind, actor, body, previous, hash';

export function createAuditStore(database: Database): AuditStore {
  const storedChain = (chain: string): Promise<StoredChain> =>
    database.snapshot(async (queries) => {
      const records = await queries.all(`SELECT ${recordColumns} FROM audit_records WHERE chain = $1 ORDER BY number`, [chain]);
      const [head] = await queries.all('SELECT chain, number, hash FROM audit_heads WHERE chain = $1', [chain]);
      return { records: records.map(recordFromRow), ...(head && { head: headFromRow(head) }) };
    });
  return {
    append: (given) => {
      const records = given.map(storable);
      return database.transaction((queries) => appendIn(queries, records));
    },
    chains: async () => {
      const rows = await database.all('SELECT chain FROM audit_records UNION SELECT chain FROM audit_heads');
      return rows.map((row) => textOf(row, 'chain')).sort();
    },
    records: async (chain) => (await storedChain(chain)).records.flatMap(({ record }) => record ?? []),
    recordsOf: async ({ kinds, since }) => {
      const places = kinds.map((_, index) => `$${index + 2}`).join(', ');
      const sql = `SELECT ${recordColumns} FROM audit_records WHERE kind IN (${places}) AND at >= $1 ORDER BY at, chain, number`;
      return (await database.all(sql, [since, ...kinds])).flatMap((row) => recordFromRow(row).record ?? []);
    },
    heads: async () => (await database.all('SELECT chain, number, hash FROM audit_heads')).map(headFromRow),
    storedChain,
    addCheckpoint: async (signed) => {
      const rows = await database.all(
        'INSERT INTO audit_checkpoints (number, content) VALUES ($1, $2) ON CONFLICT (number) DO NOTHING RETURNING number',
        [signed.checkpoint.number, canonicalJson(signed)],
      );
      if (rows.length === 0) throw new FirebreakError('FB_ERR_CONFLICT', `checkpoint ${signed.checkpoint.number} exists`);
    },
    checkpoints: async ({ after }) => {
      const sql = 'SELECT number, content FROM audit_checkpoints WHERE number > $1 ORDER BY number LIMIT $2';
      return (await database.all(sql, [after, checkpointsAtOnce])).map(checkpointFromRow);
    },
  };
}

async function appendIn(queries: Queries, records: readonly AuditRecord[]): Promise<ChainHead> {
  const chain = chainOf(records);
  const before = await lockHead(queries, chain);
  const known = records.filter(({ number }) => number <= before.number);
  await compare(queries, chain, known);
  const added = records.slice(known.length);
  if (added.length === 0) return before;
  if (added[0]?.number !== before.number + 1) {
    throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', `${chain} ends at ${before.number}, ${added[0]?.number} would leave a gap`);
  }
  const head = await insert(queries, added, before);
  await queries.all('UPDATE audit_heads SET number = $2, hash = $3 WHERE chain = $1', [chain, head.number, head.hash]);
  return head;
}

/** The chain of a batch, which holds one chain's records in order. */
function chainOf(records: readonly AuditRecord[]): string {
  const [first] = records;
  if (!first) throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', 'an empty batch');
  const inOrder = records.every(
    ({ chain, number }, index) => chain === first.chain && Number.isInteger(number) && number === first.number + index,
  );
  if (!inOrder || first.number < 1) {
    throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', `a batch that is not one run of numbers of one chain (${first.chain})`);
  }
  return first.chain;
}

/** Writers of one chain take turns here: the head's row stays locked until the transaction ends. */
async function lockHead(queries: Queries, chain: string): Promise<ChainHead> {
  const [row] = await queries.all(
    `INSERT INTO audit_heads (chain, number, hash) VALUES ($1, 0, $2)
     ON CONFLICT (chain) DO UPDATE SET chain = excluded.chain RETURNING chain, number, hash`,
    [chain, genesisHash],
  );
  if (!row) throw new FirebreakError('FB_ERR_INTERNAL', 'the head of a chain was not returned');
  return headFromRow(row);
}

async function compare(queries: Queries, chain: string, known: readonly AuditRecord[]): Promise<void> {
  const [first] = known;
  if (!first) return;
  const rows = await queries.all(
    `SELECT ${recordColumns} FROM audit_records WHERE chain = $1 AND number >= $2 AND number < $3 ORDER BY number`,
    [chain, first.number, first.number + known.length],
  );
  for (const [index, record] of known.entries()) {
    const row = rows[index];
    const stored = row && recordFromRow(row).record;
    if (!stored || canonicalJson(stored) !== canonicalJson(record)) {
      throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', `${chain}, number ${record.number}`);
    }
  }
}

async function insert(queries: Queries, records: readonly AuditRecord[], before: ChainHead): Promise<ChainHead> {
  let head = before;
  const rows = records.map((record) => {
    const previous = head.hash;
    head = { chain: record.chain, number: record.number, hash: recordHash(record, previous) };
    const { chain, number, at, kind, actor, body } = record;
    return [chain, number, at, kind, actor, canonicalJson(body), previous, head.hash];
  });
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    const part = rows.slice(start, start + rowsAtOnce);
    const values = placeholders({ rows: part.length, columns: 8 });
    await queries.all(`INSERT INTO audit_records (${recordColumns}) VALUES ${values}`, part.flat());
  }
  return head;
}

/** The record as both databases keep it: the hash is over this. PostgreSQL's text cannot hold a NUL. */
function storable(record: AuditRecord): AuditRecord {
  const { chain, number, at, kind, actor, body } = record;
  const fields = Object.entries(body).filter(([, value]) => value !== undefined);
  return {
    chain: storableText(chain),
    number,
    at: storableText(at),
    kind: storableText(kind),
    actor: storableText(actor),
    body: Object.fromEntries(fields.map(([name, value]) => [name.toWellFormed(), plainJson(value)])),
  };
}

function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
