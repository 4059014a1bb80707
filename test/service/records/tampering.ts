import { type AuditRecord, genesisHash, recordHash } from '../../../core/audit.ts';
import { checkpointBytes, checkpointDigest, type SignedCheckpoint } from '../../../core/checkpoint.ts';
import { canonicalJson } from '../../../core/digest.ts';
import type { Signer } from '../../../core/signing.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import type { Database } from '../../../integrations/database/database.ts';

/** Where a mutation strikes: a chain and a number in it that a checkpoint covers. */
export interface Place {
  readonly chain: string;
  readonly number: number;
  /** The chain's last number. */
  readonly end: number;
}

export type Mutation = (database: Database, place: Place) => Promise<void>;

const byPlace = 'WHERE chain = $1 AND number = $2';

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
      `INSERT INTO audit_records SELECT chain, CAST($2 AS INTEGER), at, kind, actor, body, previous, hash FROM audit_records WHERE chain = $1 AND number = $3`,
      [chain, number, number + 1],
    );
  },
  'inserts a row before the first': async (database, { chain }) => {
    await database.all(
      `INSERT INTO audit_records SELECT chain, 0, at, kind, actor, body, previous, hash FROM audit_records WHERE chain = $1 AND number = 1`,
      [chain],
    );
  },
  'swaps two records': async (database, { chain, number, end }) => {
    const other = number === end ? number - 1 : number + 1;
    await renumber(database, chain, number, -1);
    await renumber(database, chain, other, number);
    await renumber(database, chain, -1, other);
  },
  'cuts the chain off': async (database, { chain, number }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND number >= $2', [chain, number]);
  },
  'cuts the chain off and sets its head back': async (database, { chain, number }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND number >= $2', [chain, number]);
    await setHead(database, chain);
  },
  'rewrites from here on with fitting hashes': async (database, place) => {
    await rewrite(database, place, (record) => (record.number === place.number ? { ...record, actor: 'person/else' } : record));
  },
  'removes the whole chain': async (database, { chain }) => {
    await database.all('DELETE FROM audit_records WHERE chain = $1', [chain]);
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
  'renames the chain with fitting hashes': async (database, { chain, end }) => {
    const records = await createAuditStore(database).records(chain);
    await createAuditStore(database).append(records.map((record) => ({ ...record, chain: `${chain}-moved` })));
    await database.all('DELETE FROM audit_records WHERE chain = $1 AND number <= $2', [chain, end]);
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
  'changes the head': async (database, { chain }) => {
    await database.all('UPDATE audit_heads SET hash = $2 WHERE chain = $1', [chain, genesisHash]);
  },
  'removes the head': async (database, { chain }) => {
    await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  },
};

/** Changes records from a place on, and works out all hashes and the head anew. */
export async function rewrite(
  database: Database,
  { chain, number }: Place,
  change: (record: AuditRecord) => AuditRecord,
): Promise<void> {
  const { records } = await createAuditStore(database).storedChain(chain);
  let previous = genesisHash;
  for (const { record, hash, ...row } of records) {
    if (!record) throw new Error('an unreadable record');
    const changed = row.number >= number ? change(record) : record;
    const next = recordHash(changed, previous);
    await database.all(`UPDATE audit_records SET actor = $3, body = $4, previous = $5, hash = $6 ${byPlace}`, [
      chain,
      row.number,
      changed.actor,
      canonicalJson(changed.body),
      previous,
      next,
    ]);
    previous = next;
  }
  await setHead(database, chain);
}

/** Signs the database's checkpoints from a number on with another key, each linked to the one before. */
export async function forgeCheckpoints(database: Database, from: number, signer: Signer): Promise<void> {
  let before: SignedCheckpoint | undefined;
  for (const { number, signed } of await createAuditStore(database).checkpoints({ after: 0 })) {
    if (!signed) throw new Error('an unreadable checkpoint');
    let forged = signed;
    if (number >= from) {
      const previous = before ? checkpointDigest(before.checkpoint) : genesisHash;
      const checkpoint = { ...signed.checkpoint, previous, at: '2020-01-01T00:00:00.000Z' };
      forged = { checkpoint, keyId: signer.keyId, signature: await signer.sign(checkpointBytes(checkpoint)) };
      await database.all('UPDATE audit_checkpoints SET content = $2 WHERE number = $1', [number, canonicalJson(forged)]);
    }
    before = forged;
  }
}

async function renumber(database: Database, chain: string, from: number, to: number): Promise<void> {
  await database.all('UPDATE audit_records SET number = $3 WHERE chain = $1 AND number = $2', [chain, from, to]);
}

async function setHead(database: Database, chain: string): Promise<void> {
  const { records } = await createAuditStore(database).storedChain(chain);
  const last = records.at(-1);
  await database.all('DELETE FROM audit_heads WHERE chain = $1', [chain]);
  if (last)
    await database.all('INSERT INTO audit_heads (chain, number, hash) VALUES ($1, $2, $3)', [chain, last.number, last.hash]);
}
