import {
  type Appended,
  type ChainHead,
  genesisHash,
  recordContent,
  recordHash,
  recordLink,
  type SignedRecord,
} from '../../core/audit/audit.ts';
import type { Finding } from '../../core/audit/audit-report.ts';
import type { AuditStore, BodyWanted, RecordProof, StoredRecord } from '../../core/audit/audit-store.ts';
import { FirebreakError } from '../../core/errors.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import {
  checkedFromRow,
  checkpointFromRow,
  headFromRow,
  proofColumns,
  proofFromRow,
  recordColumns,
  recordFromRow,
} from './audit-rows.ts';
import type { Database, Queries, Row } from './queries.ts';
import { numberOf, placeholders, textOf } from './row.ts';

const rowsAtOnce = 100;
const checkpointsAtOnce = 500;
const headsAtOnce = 500;
/** Rows per statement when all are read for the notary, every minute. */
const comparedAtOnce = 5_000;
/** Maximum number of rows examined under the numbers of a batch, since anyone may have inserted any number there. A record beyond it is written again. */
const mostUnderNumbers = 1_000;

/** Tables derived from the records of an incident, useless without them. */
const ofOneIncident = ['incident_summaries', 'incident_likeness', 'incident_verdicts'] as const;

/** Rows in memory at once when all are read. */
const checkedAtOnce = 500;

/** Number of chains read with one statement if none has more than `rowsOfShort` rows. */
const chainsAtOnce = 32;
const rowsOfShort = 125;

/** Names per statement: each is an index lookup, and a statement must end within seconds however many there are. */
const namesAtOnce = 2_000;

/** The column holds no larger numbers, and PostgreSQL refuses to look for them. */
const mostNumber = 2 ** 31 - 1;

const dayMs = 86_400_000;
/** A longer period is split into this many queries. */
const mostParts = 400;
/** Each part uses its own connection. */
const partsAtOnce = 2;

/** Sorts after every time as text. */
const endOfTime = '9999';

export function createAuditStore(database: Database): AuditStore {
  const eachOfChain: AuditStore['eachOfChain'] = (chain, take, upTo) =>
    database.snapshot(async (queries) => {
      for await (const rows of recordsOf(rowsOfChain(queries, { chain, columns: recordColumns, upTo }))) take(rows);
      const [row] = await queries.all('SELECT chain, number, hash FROM audit_heads WHERE chain = $1', [chain]);
      return row && headFromRow(row);
    });
  return {
    append: (given) => database.transaction((queries) => appendIn(queries, given)),
    appendNext: (chain, make) => database.transaction((queries) => appendNextIn(queries, chain, make)),
    chains: async (prefixes) => {
      const isAsked = (name: string): boolean => prefixes.some((prefix) => name.startsWith(prefix));
      const names = new Set<string>();
      for (let after: string | undefined; ; ) {
        const page = await headsAfter(database, after);
        for (const row of page) if (isAsked(textOf(row, 'chain'))) names.add(textOf(row, 'chain'));
        const last = page.at(-1);
        if (!last) break;
        after = textOf(last, 'chain');
      }
      for (let page = await namesAfter(database); page.length > 0; page = await namesAfter(database, page.at(-1)))
        for (const name of page) if (isAsked(name)) names.add(name);
      return [...names].sort();
    },
    eachOfKinds: (asked) => rowsOfKinds(database, asked),
    eachHead: (take) =>
      database.snapshot(async (queries) => {
        for (let after: string | undefined; ; ) {
          const rows = await headsAfter(queries, after, comparedAtOnce);
          take(rows.flatMap((row) => headFromRow(row) ?? []));
          const last = rows.at(-1)?.chain;
          // Values that are not text sort after all texts.
          if (rows.length < comparedAtOnce || typeof last !== 'string') return;
          after = last;
        }
      }),
    headsAfter: async (after) =>
      (await headsAfter(database, after)).map((row) => {
        const head = headFromRow(row);
        return { chain: textOf(row, 'chain'), ...(head && { head }) };
      }),
    cutPlaces: async () => {
      const rows = await database.all('SELECT chain, cut_to FROM audit_heads WHERE cut_to > 0');
      return new Map(rows.map((row) => [textOf(row, 'chain'), numberOf(row, 'cut_to')]));
    },
    cut: ({ chain, place }) =>
      database.transaction(async (queries) => {
        // First, in the same order as writers, so that the two never deadlock.
        await queries.all('UPDATE audit_heads SET cut_to = $2 WHERE chain = $1', [chain, place]);
        await queries.all('DELETE FROM audit_records WHERE chain = $1 AND place <= $2', [chain, place]);
        await queries.all('DELETE FROM stored_alerts WHERE chain = $1 AND number <= $2', [chain, place]);
        await forgetIncident(queries, chain);
      }),
    removeContent: ({ chain, place, number, content }) =>
      database.transaction(async (queries) => {
        await queries.all(
          `UPDATE audit_records SET actor = '', body = '', salt = '', removed = $3 WHERE chain = $1 AND place = $2`,
          [chain, place, content],
        );
        await queries.all('DELETE FROM stored_alerts WHERE chain = $1 AND number = $2', [chain, number]);
        await forgetIncident(queries, chain);
      }),
    storedChain: async (chain) => {
      const records: StoredRecord[] = [];
      const head = await eachOfChain(chain, (rows) => records.push(...rows));
      return { records, ...(head && { head }) };
    },
    eachOfChain,
    numbered: (chain, numbers) => numberedRows(database, chain, numbers),
    chainsWith: async ({ kinds, since, until }) => {
      const places = kinds.map((_, index) => `$${index + 3}`).join(', ');
      const sql = `SELECT DISTINCT chain FROM audit_records WHERE kind IN (${places}) AND at >= $1 AND at < $2`;
      const chains = new Set<string>();
      const parts = partsOf(since, until).values();
      const readSome = async (): Promise<void> => {
        for (const [from, to] of parts)
          for (const row of await database.all(sql, [from, to, ...kinds])) chains.add(textOf(row, 'chain'));
      };
      await Promise.all(Array.from({ length: partsAtOnce }, readSome));
      return [...chains];
    },
    eachRow: (isWanted, range) =>
      recordsOf(
        pages((last) => rowsAfter(database, last, range)),
        (row) => checkedFromRow(row, isWanted),
      ),
    proofsOf: (chains, isWanted) => proofsOf(database, chains, isWanted),
    recordAt: async ({ chain, place }) => {
      const sql = `SELECT ${recordColumns} FROM audit_records WHERE chain = $1 AND place = $2`;
      const [row] = await database.all(sql, [chain, place]);
      return row && recordFromRow(row);
    },
    addCheckpoint: (signed, isGenuine) =>
      database.transaction(async (queries) => {
        const { number } = signed.checkpoint;
        const content = canonicalJson(signed);
        // Two notaries take turns here: the row stays locked until the transaction ends.
        const [row] = await queries.all(
          `INSERT INTO audit_checkpoints (number, content) VALUES ($1, $2)
           ON CONFLICT (number) DO UPDATE SET number = excluded.number RETURNING number, content`,
          [number, content],
        );
        if (row?.content === content) return false;
        const there = row && checkpointFromRow(row).signed;
        if (there && isGenuine(there)) throw new FirebreakError('FB_ERR_CONFLICT', `checkpoint ${number} exists`);
        await queries.all('UPDATE audit_checkpoints SET content = $2 WHERE number = $1', [number, content]);
        return true;
      }),
    checkpoints: async ({ after, upTo }) => {
      const end = upTo === undefined ? 'ORDER BY number LIMIT $2' : 'AND number <= $2 ORDER BY number';
      const sql = `SELECT number, content FROM audit_checkpoints WHERE number > $1 ${end}`;
      return (await database.all(sql, [after, upTo ?? checkpointsAtOnce])).map(checkpointFromRow);
    },
    checkpointShares: async ({ after, each }) => {
      const counted = 'SELECT number, ROW_NUMBER() OVER (ORDER BY number) AS nth FROM audit_checkpoints WHERE number > $1';
      const sql = `SELECT number FROM (${counted}) AS counted WHERE nth % $2 = 0 ORDER BY number`;
      return (await database.all(sql, [after, each])).map((row) => numberOf(row, 'number'));
    },
  };
}

async function forgetIncident(queries: Queries, chain: string): Promise<void> {
  if (!chain.startsWith('incident/')) return;
  for (const table of ofOneIncident) await queries.all(`DELETE FROM ${table} WHERE chain = $1`, [chain]);
}

/** Fetches the next rows while the current ones are processed. */
async function* pages(page: (after?: Row) => Promise<readonly Row[]>): AsyncGenerator<readonly Row[], undefined> {
  for (let next: Promise<readonly Row[]> | undefined = page(); next; ) {
    const rows: readonly Row[] = await next;
    next = rows.length < checkedAtOnce ? undefined : page(rows.at(-1));
    // A caller that stops in between never awaits this promise.
    next?.catch(() => undefined);
    yield rows;
  }
}

async function* recordsOf(
  found: AsyncIterable<readonly Row[]>,
  read: (row: Row) => StoredRecord = recordFromRow,
): AsyncGenerator<readonly StoredRecord[], undefined> {
  for await (const rows of found) yield rows.map((row) => read(row));
}

/** Rows of all chains, or of a range of them. */
function rowsAfter(
  queries: Queries,
  last: Row | undefined,
  { after, upTo }: { readonly after?: string | undefined; readonly upTo?: string | undefined } = {},
): Promise<readonly Row[]> {
  const parameters: (string | number)[] = [];
  const parameter = (value: string | number): string => `$${parameters.push(value)}`;
  const conditions: string[] = [];
  if (last) conditions.push(`(chain, place) > (${parameter(textOf(last, 'chain'))}, ${parameter(numberOf(last, 'place'))})`);
  else if (after !== undefined) conditions.push(`chain > ${parameter(after)}`);
  if (upTo !== undefined) conditions.push(`chain <= ${parameter(upTo)}`);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const sql = `SELECT ${recordColumns} FROM audit_records ${where} ORDER BY chain, place LIMIT ${checkedAtOnce}`;
  return queries.all(sql, parameters);
}

interface OfChain {
  readonly chain: string;
  readonly columns: string;
  /** Returns only rows after this one. */
  readonly first?: Row | undefined;
  /** The last place. */
  readonly upTo?: number | undefined;
  readonly numbers?: readonly number[];
}

function rowsOfChain(
  queries: Queries,
  { chain, columns, first, upTo, numbers }: OfChain,
): AsyncGenerator<readonly Row[], undefined> {
  return pages((last = first) => {
    const parameters: (string | number)[] = [];
    const parameter = (value: string | number): string => `$${parameters.push(value)}`;
    const conditions = [
      `chain = ${parameter(chain)}`,
      ...(last ? [`place > ${parameter(numberOf(last, 'place'))}`] : []),
      ...(upTo === undefined ? [] : [`place <= ${parameter(upTo)}`]),
      ...(numbers ? [`number IN (${numbers.map(parameter).join(', ')})`] : []),
    ];
    const sql = `SELECT ${columns} FROM audit_records WHERE ${conditions.join(' AND ')} ORDER BY place LIMIT ${checkedAtOnce}`;
    return queries.all(sql, parameters);
  });
}

async function* numberedRows(
  queries: Queries,
  chain: string,
  numbers: readonly number[],
): AsyncGenerator<readonly StoredRecord[], undefined> {
  const possible = numbers.filter((number) => number <= mostNumber);
  for (let from = 0; from < possible.length; from += namesAtOnce) {
    const some = possible.slice(from, from + namesAtOnce);
    yield* recordsOf(rowsOfChain(queries, { chain, columns: recordColumns, numbers: some }));
  }
}

/**
 * Reads many short chains per statement, by a join: with one ordered query, PostgreSQL scanned every row between two chains, and a union of one statement per
 * chain took twice as long. A longer chain is read on its own.
 */
async function* proofsOf(
  queries: Queries,
  all: readonly string[],
  isWanted: BodyWanted,
): AsyncGenerator<readonly RecordProof[], undefined> {
  const chains = [...new Set(all)];
  const read = (row: Row): RecordProof => proofFromRow(row, isWanted);
  let next: ReturnType<typeof shortChains> | undefined = chains.length > 0 ? shortChains(queries, chains, 0) : undefined;
  for (let from = 0; next; from += chainsAtOnce) {
    const { rows: found, long } = await next;
    next = from + chainsAtOnce < chains.length ? shortChains(queries, chains, from + chainsAtOnce) : undefined;
    next?.catch(() => undefined);
    for (const chain of chains.slice(from, from + chainsAtOnce)) {
      const rows = (found.get(chain) ?? []).toSorted((a, b) => numberOf(a, 'place') - numberOf(b, 'place'));
      if (rows.length > 0) yield rows.map(read);
      if (!long.has(chain)) continue;
      for await (const more of rowsOfChain(queries, { chain, columns: proofColumns })) if (more.length > 0) yield more.map(read);
    }
  }
}

/** Among the next chains, returns the long ones, and the rows of all others. */
async function shortChains(
  queries: Queries,
  chains: readonly string[],
  from: number,
): Promise<{ readonly rows: ReadonlyMap<string, readonly Row[]>; readonly long: ReadonlySet<string> }> {
  const some = chains.slice(from, from + chainsAtOnce);
  const asked = (of: readonly string[]): string =>
    `WITH asked(of_chain) AS (VALUES ${of.map((_, at) => `($${at + 1})`).join(', ')})`;
  const end = (which: 'MIN' | 'MAX'): string => `(SELECT ${which}(place) FROM audit_records WHERE chain = of_chain)`;
  // Places begin at 1; rows inserted by somebody else may have any place.
  const ofLong = await queries.all(
    `${asked(some)} SELECT of_chain FROM asked WHERE ${end('MAX')} > ${rowsOfShort} OR ${end('MIN')} < 1`,
    some,
  );
  const long = new Set(ofLong.map((row) => textOf(row, 'of_chain')));
  const short = some.filter((chain) => !long.has(chain));
  if (short.length === 0) return { rows: new Map(), long };
  const sql = `${asked(short)} SELECT ${proofColumns} FROM asked JOIN audit_records ON chain = of_chain AND place <= ${rowsOfShort}`;
  return { rows: Map.groupBy(await queries.all(sql, short), (row) => textOf(row, 'chain')), long };
}

function headsAfter(queries: Queries, after?: string, atOnce = headsAtOnce): Promise<readonly Row[]> {
  const where = after === undefined ? `chain >= ''` : 'chain > $1';
  const sql = `SELECT chain, number, hash FROM audit_heads WHERE ${where} ORDER BY chain LIMIT ${atOnce}`;
  return queries.all(sql, after === undefined ? [] : [after]);
}

/** By time: reads each kind in the order of its index, and merges them by the earliest next row. */
async function* rowsOfKinds(
  queries: Queries,
  { kinds, since, until = endOfTime }: Parameters<AuditStore['eachOfKinds']>[0],
): AsyncGenerator<readonly StoredRecord[], undefined> {
  const found = [...new Set(kinds)].map((kind) => rowsOfKind(queries, { kind, since, until }));
  const next = await Promise.all(found.map((rows) => rows.next()));
  let page: StoredRecord[] = [];
  for (;;) {
    const [first] = next
      .flatMap(({ done, value }, index) => (done ? [] : [{ row: value, index }]))
      .sort((a, b) => compareTimes(a.row, b.row));
    if (!first) break;
    page.push(recordFromRow(first.row));
    if (page.length === checkedAtOnce) {
      yield page;
      page = [];
    }
    const rows = found[first.index];
    if (rows) next[first.index] = await rows.next();
  }
  if (page.length > 0) yield page;
}

async function* rowsOfKind(
  queries: Queries,
  { kind, since, until }: { readonly kind: string; readonly since: string; readonly until: string },
): AsyncGenerator<Row, undefined> {
  for (let last: Row | undefined; ; ) {
    const after = last ? [textOf(last, 'at'), textOf(last, 'chain'), numberOf(last, 'place')] : [since];
    const where = last ? '(at, chain, place) > ($3, $4, $5)' : 'at >= $3';
    const sql = `SELECT ${recordColumns} FROM audit_records WHERE kind = $1 AND at < $2 AND ${where} ORDER BY at, chain, place LIMIT ${checkedAtOnce}`;
    const rows = await queries.all(sql, [kind, until, ...after]);
    yield* rows;
    if (rows.length < checkedAtOnce) return;
    last = rows.at(-1);
  }
}

function compareTimes(a: Row, b: Row): number {
  for (const column of ['at', 'chain']) {
    const [one, other] = [textOf(a, column), textOf(b, column)];
    if (one !== other) return one < other ? -1 : 1;
  }
  return numberOf(a, 'place') - numberOf(b, 'place');
}

/** Jumps from one chain to the next by the index: among millions of rows, it reads only as many as there are chains. */
async function namesAfter(queries: Queries, after?: string): Promise<readonly string[]> {
  const sql = `WITH RECURSIVE names(chain) AS (
      SELECT MIN(chain) FROM audit_records ${after === undefined ? '' : 'WHERE chain > $1'}
      UNION ALL SELECT (SELECT MIN(next.chain) FROM audit_records AS next WHERE next.chain > names.chain) FROM names WHERE names.chain IS NOT NULL)
    SELECT chain FROM names WHERE chain IS NOT NULL LIMIT ${namesAtOnce}`;
  const rows = await queries.all(sql, after === undefined ? [] : [after]);
  return rows.map((row) => textOf(row, 'chain'));
}

/** Splits a period (ISO 8601) into days, or into fewer and longer parts, so that no statement reads a year. */
function partsOf(since: string, until: string): readonly (readonly [from: string, to: string])[] {
  const [begin, end] = [Date.parse(since), Date.parse(until)];
  const step = Math.max(dayMs, Math.ceil((end - begin) / mostParts));
  const between: string[] = [];
  for (let at = begin + step; at < end; at += step) between.push(new Date(at).toISOString());
  const bounds = [since, ...between, until];
  return bounds.slice(1).map((to, index) => [bounds[index] ?? since, to] as const);
}

async function appendIn(queries: Queries, given: readonly SignedRecord[]): Promise<Appended> {
  const { chain, first, last } = runOf(given);
  const stated = await lockHead(queries, chain);
  const rows = await queries.all(
    `SELECT ${recordColumns} FROM audit_records WHERE chain = $1 AND number >= $2 AND number <= $3 ORDER BY place LIMIT ${mostUnderNumbers}`,
    [chain, first - 1, last],
  );
  const there = Map.groupBy(
    rows.flatMap((row) => recordFromRow(row).signed ?? []),
    ({ record }) => record.number,
  );
  const added = given.filter((signed) => !there.get(signed.record.number)?.some((one) => isSame(one, signed)));
  const found = given.flatMap((signed) => takenBefore(signed, there.get(signed.record.number) ?? []));
  if (first > 1 && !there.has(first - 1)) found.push(gapBefore(chain, first));
  const { number, hash } = stated;
  const head = added.length === 0 ? { chain, number, hash } : await insert(queries, added, stated);
  return { head, found };
}

async function appendNextIn(
  queries: Queries,
  chain: string,
  make: (number: number) => Promise<SignedRecord>,
): Promise<ChainHead> {
  const stated = await lockHead(queries, chain);
  const before = (await soundEnd(queries, stated)) ?? (await lastInRow(queries, chain));
  return insert(queries, [await make(before.number + 1)], { ...before, cutTo: stated.cutTo });
}

/** The chain and number range of a batch, which holds consecutive records of one chain in order. */
function runOf(given: readonly SignedRecord[]): { readonly chain: string; readonly first: number; readonly last: number } {
  const first = given[0]?.record;
  if (!first) throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', 'the batch is empty');
  const { chain, number } = first;
  const inOrder = given.every(
    ({ record }, index) => record.chain === chain && Number.isInteger(record.number) && record.number === number + index,
  );
  if (!inOrder || number < 1) {
    throw new FirebreakError('FB_ERR_AUDIT_CONFLICT', `the batch is not one run of consecutive numbers of one chain (${chain})`);
  }
  return { chain, first: number, last: number + given.length - 1 };
}

function isSame(a: SignedRecord, b: SignedRecord): boolean {
  return recordLink(a) === recordLink(b);
}

function takenBefore(signed: SignedRecord, there: readonly SignedRecord[]): readonly Finding[] {
  const { record } = signed;
  if (there.every((other) => saysTheSame(other, signed))) return [];
  const { chain, number } = record;
  const text = `${chain} record ${number} also exists with different content: both are kept`;
  return [{ kind: 'record-doubled', chain, number, text }];
}

/** If the content was removed, compares the hash. */
function saysTheSame(other: SignedRecord, signed: SignedRecord): boolean {
  if (other.removed !== undefined) return other.removed === recordContent(signed);
  return canonicalJson(other.record) === canonicalJson(signed.record);
}

function gapBefore(chain: string, number: number): Finding {
  const text = `${chain} lacks record ${number - 1}, which was acknowledged before record ${number} arrived`;
  return { kind: 'record-missing', chain, number: number - 1, text };
}

/** Writers of one chain take turns here: the head's row stays locked until the transaction ends. */
async function lockHead(queries: Queries, chain: string): Promise<LockedHead> {
  const [row] = await queries.all(
    `INSERT INTO audit_heads (chain, number, hash) VALUES ($1, 0, $2)
     ON CONFLICT (chain) DO UPDATE SET chain = excluded.chain RETURNING chain, number, hash, cut_to`,
    [chain, genesisHash],
  );
  if (!row) throw new FirebreakError('FB_ERR_INTERNAL', 'the head of a chain was not returned');
  return { ...(headFromRow(row) ?? { chain, number: -1, hash: '' }), cutTo: row.cut_to };
}

interface LockedHead extends ChainHead {
  /** The place up to which rows were cut. */
  readonly cutTo: unknown;
}

/** Returns the head if the rows agree with it: the record that it names is the last one. Undefined if somebody wrote there. */
async function soundEnd(queries: Queries, stated: LockedHead): Promise<ChainHead | undefined> {
  const { chain, number, hash, cutTo } = stated;
  const head = { chain, number, hash };
  const rows = await queries.all(
    'SELECT place, hash FROM audit_records WHERE chain = $1 AND place >= $2 ORDER BY place LIMIT 2',
    [chain, number],
  );
  const [last] = rows;
  if (!last) return number === cutTo && (number > 0 || hash === genesisHash) ? head : undefined;
  return rows.length === 1 && last.place === number && last.hash === hash ? head : undefined;
}

/** Returns the end of the consecutive rows from the first place that is not cut, regardless of rows inserted further back. */
async function lastInRow(queries: Queries, chain: string): Promise<ChainHead> {
  const first = '(SELECT cut_to + 1 FROM audit_heads WHERE chain = $1)';
  const [row] = await queries.all(
    `SELECT place, hash FROM audit_records AS one WHERE chain = $1 AND place >= ${first}
       AND EXISTS (SELECT 1 FROM audit_records WHERE chain = $1 AND place = ${first})
       AND NOT EXISTS (SELECT 1 FROM audit_records AS next WHERE next.chain = $1 AND next.place = CAST(one.place AS BIGINT) + 1)
     ORDER BY place LIMIT 1`,
    [chain],
  );
  const number = row ? numberOf(row, 'place') : 0;
  return { chain, number, hash: typeof row?.hash === 'string' ? row.hash : genesisHash };
}

/**
 * Appends to the chain. If somebody wrote to it, each record goes to the first free place, and verification finds what is wrong around it: no foreign row may
 * keep a record out.
 */
async function insert(queries: Queries, added: readonly SignedRecord[], stated: LockedHead): Promise<ChainHead> {
  const { chain } = stated;
  let head = await soundEnd(queries, stated);
  if (head) head = await insertAfter(queries, added, head);
  else for (const one of added) head = await insertAfter(queries, [one], await lastInRow(queries, chain));
  if (!head) return stated;
  const grownAt = new Date().toISOString();
  await queries.all('UPDATE audit_heads SET number = $2, hash = $3, grown_at = $4 WHERE chain = $1', [
    chain,
    head.number,
    head.hash,
    grownAt,
  ]);
  return head;
}

async function insertAfter(queries: Queries, added: readonly SignedRecord[], before: ChainHead): Promise<ChainHead> {
  let head = before;
  const rows = added.map((signed) => {
    const { record, keyId, follows, salt, signature, removed = '' } = signed;
    const previous = head.hash;
    head = { chain: record.chain, number: head.number + 1, hash: recordHash(signed, previous) };
    const { chain, number, at, kind, actor, body } = record;
    const said = removed === '' ? [actor, canonicalJson(body)] : ['', ''];
    return [chain, head.number, number, at, kind, ...said, keyId, follows, salt, signature, removed, previous, head.hash];
  });
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    const part = rows.slice(start, start + rowsAtOnce);
    const values = placeholders({ rows: part.length, columns: 14 });
    await queries.all(`INSERT INTO audit_records (${recordColumns}) VALUES ${values}`, part.flat());
  }
  return head;
}
