import { type AuditRecord, genesisHash, recordHash, recordLink, type SignedRecord } from '../../../core/audit/audit.ts';
import { checkpointBytes, checkpointDigest, type SignedCheckpoint } from '../../../core/audit/checkpoint.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import { canonicalJson } from '../../../core/text/digest.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { deskMaker, maker, makerOf, newMaker } from '../../suites/signed-records.ts';

/** Where a mutation strikes: a chain, and a number in it that a checkpoint covers. */
export interface Place {
  readonly chain: string;
  readonly number: number;
  /** The last number of the chain. */
  readonly end: number;
}

/** The place of the first altered record, for mutations that alter one; the others affect a chain as a whole. */
export const firstBadAt: Readonly<Record<string, (place: Place) => number>> = {
  'changes an actor': ({ number }) => number,
  'removes a record': ({ number }) => number,
  'swaps two records': ({ number, end }) => (number === end ? number - 1 : number),
  'cuts the chain off and sets its head back': ({ number }) => number,
  'takes a signature away': ({ number }) => number,
  'has a record signed by the true key of another role, with fitting hashes': ({ number }) => number,
  'adds a false record at the end, with a fitting hash': ({ end }) => end + 1,
  'forks the chain: its own maker has signed another record under a number that is taken': ({ end }) => end + 1,
};

type Mutation = (database: Database, place: Place) => Promise<void>;

const rest = 'at, kind, actor, body, key_id, follows, salt, signature, previous, hash';
const copied = `INSERT INTO audit_records (chain, place, number, ${rest})`;
const byPlace = 'WHERE chain = $1 AND place = $2';

/** What somebody with the database's password could do to one chain. */
export const mutations: Readonly<Record<string, Mutation>> = {
  'changes an actor': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET actor = 'person/else' ${byPlace}`, [chain, number]);
  },
  'changes a time': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET at = '2020-01-01T00:00:00.000Z' ${byPlace}`, [chain, number]);
  },
  'changes a body': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET body = '{"step":"nothing"}' ${byPlace}`, [chain, number]);
  },
  'writes a body that is not JSON': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET body = 'oops' ${byPlace}`, [chain, number]);
  },
  'writes a body that reads otherwise but means the same': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET body = '{"step":"a lie",' || substr(body, 2) ${byPlace}`, [chain, number]);
  },
  'changes a hash': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET hash = $3 ${byPlace}`, [chain, number, genesisHash]);
  },
  'removes a record': async (database, { chain, number }) => {
    await database.all(`DELETE FROM audit_records ${byPlace}`, [chain, number]);
  },
  'removes a record and closes the gap': async (database, { chain, number, end }) => {
    await database.all(`DELETE FROM audit_records ${byPlace}`, [chain, number]);
    for (let next = number + 1; next <= end; next += 1) await renumber(database, chain, next, next - 1);
  },
  'inserts a record and moves the rest up': async (database, { chain, number, end }) => {
    for (let next = end; next >= number; next -= 1) await renumber(database, chain, next, next + 1);
    await database.all(
      `${copied} SELECT chain, CAST($2 AS INTEGER), number, ${rest} FROM audit_records WHERE chain = $1 AND place = $3`,
      [chain, number, number + 1],
    );
  },
  'inserts a row before the first': async (database, { chain }) => {
    await database.all(`${copied} SELECT chain, 0, number, ${rest} FROM audit_records WHERE chain = $1 AND place = 1`, [chain]);
  },
  'swaps two records': async (database, { chain, number, end }) => {
    const other = number === end ? number - 1 : number + 1;
    await renumber(database, chain, number, -1);
    await renumber(database, chain, other, number);
    await renumber(database, chain, -1, other);
  },
  'cuts the chain off': async (database, { chain, number }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND place >= $2', [chain, number]);
  },
  'cuts the chain off and sets its head back': async (database, { chain, number }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND place >= $2', [chain, number]);
    await setHead(database, chain);
  },
  'rewrites from here on with fitting hashes': async (database, place) => {
    await rewrite(database, place, otherActor(place.number));
  },
  'rewrites from here on, and signs it with a key that is no cell’s': async (database, place) => {
    const thief = newMaker();
    await rewrite(database, place, (signed) => thief.sign(signed.record));
  },
  'forks the chain: its own maker has signed another record under a number that is taken': async (
    database,
    { chain, number },
  ) => {
    const signed = (await storedIn(database, chain))[number - 1];
    if (!signed) throw new Error('no such record');
    await createAuditStore(database).append([makerOf(chain).sign({ ...signed.record, actor: 'person/else' })]);
  },
  'has a record signed by the true key of another role, with fitting hashes': async (database, place) => {
    const other = makerOf(place.chain) === maker ? deskMaker : maker;
    await rewrite(database, place, (signed) => (signed.record.number === place.number ? other.sign(signed.record) : signed));
  },
  'takes a signature away': async (database, { chain, number }) => {
    await database.all(`UPDATE audit_records SET signature = '', key_id = '' ${byPlace}`, [chain, number]);
  },
  'takes signatures away, with fitting hashes': async (database, place) => {
    await rewrite(database, place, (signed) => ({ ...signed, keyId: '', signature: '' }));
  },
  'swaps two signatures, with fitting hashes': async (database, place) => {
    const signatures = (await storedIn(database, place.chain)).map(({ signature }) => signature);
    await rewrite(database, { ...place, number: 1 }, (signed) => {
      const other = place.number === place.end ? place.number - 1 : place.number + 1;
      const { number } = signed.record;
      const from = number === place.number ? other : number === other ? place.number : number;
      return { ...signed, signature: signatures[from - 1] ?? '' };
    });
  },
  'has a record vouch for another one, with fitting hashes': async (database, place) => {
    await rewrite(database, place, (signed) =>
      signed.record.number === place.number ? { ...signed, follows: recordLink(signed) } : signed,
    );
  },
  'has a false record vouched for by the one after it, with fitting hashes': async (database, place) => {
    const other = place.number === place.end ? place.number - 1 : place.number;
    const lie = (await storedIn(database, place.chain)).filter(({ record }) => record.number === other).map(otherActor(other));
    await rewrite(database, { ...place, number: other }, (signed) => {
      const { number } = signed.record;
      const [forged] = lie;
      if (!forged || number > other + 1) return signed;
      return number === other ? forged : { ...signed, follows: recordLink(forged) };
    });
  },
  'adds a false record at the end, with a fitting hash': async (database, { chain, end }) => {
    const [last] = (await storedIn(database, chain)).slice(-1);
    if (!last) throw new Error('an empty chain');
    await createAuditStore(database).append([newMaker().sign({ ...last.record, number: end + 1 })]);
  },
  'moves a record of another chain to the end, with a fitting hash': async (database, { chain }) => {
    const chains = (await createAuditStore(database).chains([''])).filter((one) => one !== chain);
    const [foreign] = await storedIn(database, chains[0] ?? '');
    if (!foreign) throw new Error('an empty chain');
    await createAuditStore(database).appendNext(chain, async (number) => ({
      ...foreign,
      record: { ...foreign.record, chain, number },
    }));
  },
  'gives a record another number, with fitting hashes': async (database, place) => {
    await rewrite(database, place, (signed) => ({ ...signed, record: { ...signed.record, number: signed.record.number + 1 } }));
  },
  'removes the whole chain': async (database, { chain }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1', [chain]);
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
  'renames the chain with fitting hashes': async (database, { chain, end }) => {
    const records = await storedIn(database, chain);
    const moved = records.map((signed) => ({ ...signed, record: { ...signed.record, chain: `${chain}-moved` } }));
    await createAuditStore(database).append(moved);
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND place <= $2', [chain, end]);
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
  'changes the head': async (database, { chain }) => {
    await database.all('UPDATE audit_heads SET hash = $2 WHERE chain = $1', [chain, genesisHash]);
  },
  'removes the head': async (database, { chain }) => {
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
};

/** What somebody who has the password, but no cell's key, makes of the record with that number. */
export function otherActor(number: number): (signed: SignedRecord) => SignedRecord {
  return (signed) => (signed.record.number === number ? withRecord(signed, { actor: 'person/else' }) : signed);
}

export function withRecord(signed: SignedRecord, changes: Partial<AuditRecord>): SignedRecord {
  return { ...signed, record: { ...signed.record, ...changes } };
}

export async function storedIn(database: Database, chain: string): Promise<readonly SignedRecord[]> {
  const { records } = await createAuditStore(database).storedChain(chain);
  return records.flatMap(({ signed }) => signed ?? []);
}

/** Changes records from a place on, and recomputes all hashes and the head. */
export async function rewrite(
  database: Database,
  { chain, number }: Place,
  change: (signed: SignedRecord) => SignedRecord,
): Promise<void> {
  const { records } = await createAuditStore(database).storedChain(chain);
  let previous = genesisHash;
  for (const { signed, place } of records) {
    if (!signed) throw new Error('an unreadable record');
    const changed = place >= number ? change(signed) : signed;
    const next = recordHash(changed, previous);
    const { record, keyId, follows, salt, signature } = changed;
    const { number: own, at, kind, actor, body } = record;
    await database.all(
      `UPDATE audit_records SET number = $3, at = $4, kind = $5, actor = $6, body = $7, key_id = $8, signature = $9,
         previous = $10, hash = $11, follows = $12, salt = $13 ${byPlace}`,
      [chain, place, own, at, kind, actor, canonicalJson(body), keyId, signature, previous, next, follows, salt],
    );
    previous = next;
  }
  await setHead(database, chain);
}

/** Signs the database's checkpoints from a number on with another key, each linked to the previous one. */
export async function forgeCheckpoints(database: Database, from: number, signer: Signer): Promise<void> {
  let before: SignedCheckpoint | undefined;
  for (const { number, signed } of await createAuditStore(database).checkpoints({ after: 0 })) {
    if (!signed) throw new Error('an unreadable checkpoint');
    let forged = signed;
    if (number >= from) {
      const previous = before ? checkpointDigest(before) : genesisHash;
      const checkpoint = { ...signed.checkpoint, previous, at: '2020-01-01T00:00:00.000Z' };
      forged = { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      await database.all('UPDATE audit_checkpoints SET content = $2 WHERE number = $1', [number, canonicalJson(forged)]);
    }
    before = forged;
  }
}

async function renumber(database: Database, chain: string, from: number, to: number): Promise<void> {
  await database.all('UPDATE audit_records SET place = $3, number = $3 WHERE chain = $1 AND place = $2', [chain, from, to]);
}

async function setHead(database: Database, chain: string): Promise<void> {
  const { records } = await createAuditStore(database).storedChain(chain);
  const last = records.at(-1);
  await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  if (last)
    await database.all('INSERT INTO audit_heads (chain, number, hash) VALUES ($1, $2, $3)', [chain, last.place, last.hash]);
}
