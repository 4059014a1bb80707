import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type AuditRecord, type SignedRecord, signRecord } from '../../../core/audit/audit.ts';
import { type AuditReport, describeReport } from '../../../core/audit/audit-report.ts';
import type { AuditStore, StoredRecord } from '../../../core/audit/audit-store.ts';
import type { CheckpointChain } from '../../../core/audit/checkpoint-chain.ts';
import { leafHash, merkleRoot } from '../../../core/audit/merkle.ts';
import {
  type AnsweredBy,
  CutRows,
  cutBody,
  cutIn,
  cutKind,
  cutsChain,
  type RecordCut,
  type RecordRetention,
} from '../../../core/audit/record-cut.ts';
import type { Signer } from '../../../core/messages/signing.ts';
import { orderBytes } from '../../../core/orders/order.ts';
import type { HoldScope, RecordOrder } from '../../../core/orders/record-hold.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, type FileSigner, openSigner, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { readCheckpoints } from '../../../service/records/read-checkpoints.ts';
import { readCuts } from '../../../service/records/read-cuts.ts';
import { carryOutCuts, orderCuts, type RetentionParts } from '../../../service/records/retention.ts';
import { verifyAudit } from '../../../service/records/verify-audit.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { deskMaker, makerOf, makersTrust } from '../../suites/signed-records.ts';

function cutOf(rows: readonly StoredRecord[], checkpoint: number): RecordCut {
  const cut = new CutRows();
  cut.add(rows);
  const made = cut.cut({ checkpoint, class: 'unanswered', days: 90 });
  if (!made) throw new Error('nothing is there');
  return made;
}

const dayMs = 86_400_000;
const begin = Date.parse('2026-01-01T00:00:00.000Z');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-retention-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quiet = 'incident/c/shop/Deployment/quiet@1';
const asked = 'incident/c/shop/Deployment/asked@1';
const open = 'incident/c/shop/Deployment/open@1';
const journal = 'desk/main';
const ninety: RecordRetention = { days: { unanswered: 90, journals: 90 }, earlier: [] };
const people = { ana: signerFrom({ pem: newPrivateKey(), name: 'ana' }), ben: signerFrom({ pem: newPrivateKey(), name: 'ben' }) };
const personalKeys = createVerifier({ publicKeys: Object.values(people).map(({ publicKey }) => publicKey) });
const signers = {
  keyIds: personalKeys.keyIds,
  verify: personalKeys.verify,
  keyIdsFor: (person: string) => (person === 'ana' || person === 'ben' ? [people[person].keyId] : []),
};

describe('keeping records for a time', () => {
  let notaryKey: FileSigner;
  let desk: Signer;
  let database: Database;
  let store: AuditStore;
  let now: Date;
  let stores = 0;

  beforeAll(async () => {
    notaryKey = await openSigner({ file: join(folder, 'notary.key'), create: true });
    desk = signerFrom({ pem: deskMaker.pem, name: 'the desk' });
  });
  beforeEach(async () => {
    stores += 1;
    database = await openDatabase({ url: `sqlite:${join(folder, `${stores}.db`)}` });
    store = createAuditStore(database);
    await day(0);
    await incident(quiet, 'nobody');
    await incident(asked, 'people');
    await store.append([made(open, 1, 'incident.opened')]);
    await write(journal, 'click.refused');
    await write(journal, 'click.refused');
    await sign();
  });
  afterEach(() => database.close());

  const day = async (days: number): Promise<void> => {
    now = new Date(begin + days * dayMs);
  };
  const made = (chain: string, number: number, kind: string, body: AuditRecord['body'] = {}): SignedRecord =>
    makerOf(chain).sign({ chain, number, at: now.toISOString(), kind, actor: 'engine', body });
  const write = (chain: string, kind: string, body: AuditRecord['body'] = {}): Promise<unknown> =>
    store.appendNext(chain, async (number) => made(chain, number, kind, body));
  const incident = async (chain: string, answered: AnsweredBy): Promise<void> => {
    const kinds = ['incident.opened', 'alert.joined', 'incident.closed'];
    await store.append(kinds.map((kind, index) => made(chain, index + 1, kind, kind === 'incident.closed' ? { answered } : {})));
  };
  const verifier = () => createVerifier({ publicKeys: [notaryKey.publicKey] });
  const sign = async (): Promise<void> => {
    const onAlarm = (problem: unknown): never => {
      throw problem;
    };
    const options = { store, signer: notaryKey, verifier: verifier(), everyMs: 60_000, now: () => now };
    await createNotary({ ...options, onAlarm, onError: onAlarm }).stop();
  };
  const parts = (retention: RecordRetention): RetentionParts => ({
    ...{ store, verifier: verifier(), trust: makersTrust },
    ...{ signers, retention, now: () => now },
  });
  const order = (retention = ninety) => orderCuts({ ...parts(retention), signer: desk });
  const carryOut = (retention = ninety) => carryOutCuts(parts(retention));
  const verify = (retention = ninety): Promise<AuditReport> => verifyAudit({ ...parts(retention) });
  const kinds = async (retention = ninety) => (await verify(retention)).findings.map(({ kind }) => kind);
  const count = async (chain: string): Promise<number> => (await store.storedChain(chain)).records.length;
  /** On day 100, everything that is old enough is cut, and gone. */
  const cutAll = async (): Promise<void> => {
    await day(100);
    await order();
    await sign();
    await carryOut();
  };
  const vouched = async (): Promise<CheckpointChain> => (await readCheckpoints(parts(ninety))).chain;
  const tell = async (cut: RecordCut): Promise<unknown> =>
    store.appendNext(cutsChain, (number) =>
      signRecord({ chain: cutsChain, number, at: now.toISOString(), kind: cutKind, actor: 'desk', body: cutBody(cut) }, desk),
    );
  /** As forged by somebody who has a desk's key and the database's password. */
  const forge = async (chain: string, changes: Partial<RecordCut> = {}): Promise<void> => {
    const { records } = await store.storedChain(chain);
    const { number = 0, checkpoint = 0 } = (await vouched()).stated(chain).at(-1) ?? {};
    await tell({ ...cutOf(records.slice(0, number), checkpoint), ...changes });
    await sign();
    await database.all('DELETE FROM audit_records WHERE chain = $1', [chain]);
  };

  test('nothing is cut if nothing is configured, or before its time', async () => {
    await day(89);
    expect(await order()).toEqual({ chains: 0, records: 0, held: 0, problems: [] });
    await day(4_000);
    expect(await order({ days: {}, earlier: [] })).toMatchObject({ chains: 0, records: 0 });
  });

  test('what is old enough is recorded as cut first, and deleted once the notary vouches for that', async () => {
    await day(100);
    await write(journal, 'click.refused');
    await sign();
    expect(await order()).toEqual({ chains: 2, records: 5, held: 0, problems: [] });
    expect(await carryOut()).toMatchObject({ chains: 0, records: 0 });
    await sign();
    const ordered = await verify();
    expect(ordered).toMatchObject({ ok: true, cut: { chains: 0, records: 0, ordered: 2 } });
    expect(await carryOut()).toEqual({ chains: 2, records: 5, held: 0, problems: [] });
    expect([await count(quiet), await count(asked), await count(open), await count(journal)]).toEqual([0, 3, 1, 1]);
    expect(await carryOut()).toMatchObject({ chains: 0, records: 0 });
    expect(await order()).toMatchObject({ chains: 0, records: 0 });
  });

  test('a chain that was cut like this is intact and goes on, and the report says what is gone', async () => {
    await cutAll();
    await write(journal, 'click.refused');
    await sign();
    const report = await verify();
    expect(report).toMatchObject({ ok: true, findings: [], cut: { chains: 2, records: 5, ordered: 0 } });
    expect(describeReport(report)).toContain('5 records of 2 chains are no longer kept: each cut is on record and signed.');
    await day(200);
    expect(await order()).toMatchObject({ chains: 1, records: 1 });
    await sign();
    await carryOut();
    expect(await verify()).toMatchObject({ ok: true, cut: { chains: 2, records: 6, ordered: 0 } });
  });

  test('an incident that has grown since it was cut is also intact, and what was cut of it stays proven', async () => {
    await cutAll();
    await store.append([made(quiet, 4, 'ticket.news')]);
    await sign();
    expect(await verify()).toMatchObject({ ok: true, findings: [], cut: { chains: 2, records: 5, ordered: 0 } });
    await database.all("UPDATE audit_records SET actor = 'somebody' WHERE chain = $1", [quiet]);
    expect(await kinds()).toEqual(expect.arrayContaining(['record-changed', 'record-forged']));
  });

  test('whoever has the old records, as in a bundle, can prove that they are those that were cut', async () => {
    const { records } = await store.storedChain(quiet);
    await cutAll();
    const { records: cuts } = await store.storedChain(cutsChain);
    expect(cuts.map(({ signed }) => signed?.record.kind)).toEqual(['records.cut', 'records.cut']);
    const cut = cuts.flatMap(({ signed }) => (signed ? (cutIn(signed.record) ?? []) : [])).find(({ chain }) => chain === quiet);
    expect(cut).toMatchObject({
      from: 1,
      to: 3,
      root: merkleRoot(records.map(({ hash }) => leafHash(hash))),
      after: records.at(-1)?.hash,
      days: 90,
    });
  });

  test('cuts and orders are read a few rows at a time, and only what was cut is kept of a cut', async () => {
    await cutAll();
    await write(cutsChain, 'click.refused');
    await sign();
    const pages: number[] = [];
    const watched: AuditStore = {
      ...store,
      storedChain: () => Promise.reject(new Error('a whole chain is read at once')),
      eachOfChain: (chain, take, upTo) => {
        const look = (rows: readonly StoredRecord[]): void => {
          pages.push(rows.length);
          take(rows);
        };
        return store.eachOfChain(chain, look, upTo);
      },
    };
    const checkpoints = await readCheckpoints(parts(ninety));
    const known = await readCuts({ ...parts(ninety), store: watched, checkpoints, now });
    expect(pages).toEqual([3]);
    expect(known).toMatchObject({ recorded: 3, damage: [], findings: [{ kind: 'cut-forged', number: 3 }] });
    const cuts = [...known.cuts.values()].flat();
    expect(cuts).toHaveLength(2);
    for (const cut of cuts) expect(Object.keys(cut)).not.toContain('last');
  });

  test('what is stored alongside an incident is deleted with it', async () => {
    await database.all("INSERT INTO stored_alerts (chain, number, at, sealed) VALUES ($1, 1, '2026-01-01', 'x')", [quiet]);
    await cutAll();
    expect(await database.all('SELECT chain FROM stored_alerts')).toEqual([]);
  });

  test('a stream does not wait for what is gone', async () => {
    const feed = createStreamFeed(database);
    await feed.begin('siem', 'beginning');
    await cutAll();
    const chains = (await feed.behind('siem', { most: 10 })).map(({ chain }) => chain);
    expect(chains).not.toContain(quiet);
    expect(chains).toContain(asked);
    expect((await feed.lag('siem')).records).toBe(3 + 1 + 2);
  });

  describe('without a recorded cut, or with a false one, it is found', () => {
    test.each([
      ['all of it', `DELETE FROM audit_records WHERE chain = '${quiet}'`, 'chain-missing'],
      ['its beginning', `DELETE FROM audit_records WHERE chain = '${quiet}' AND place = 1`, 'record-missing'],
      ['its middle', `DELETE FROM audit_records WHERE chain = '${quiet}' AND place = 2`, 'record-missing'],
      ['its end', `DELETE FROM audit_records WHERE chain = '${quiet}' AND place = 3`, 'records-cut'],
    ])('that somebody deleted %s', async (_, statement, kind) => {
      await database.all(statement);
      expect(await kinds()).toContain(kind);
    });

    test('that an incident was cut that is not old enough', async () => {
      await day(50);
      await forge(quiet);
      expect(await kinds()).toEqual(['cut-early']);
    });

    test('that a cut passes off a decision as something that is kept for a shorter time', async () => {
      await day(100);
      await forge(asked);
      expect(await kinds()).toEqual(['cut-forged', 'chain-missing']);
    });

    test('that a decision was cut, although it is kept forever', async () => {
      await day(5_000);
      await forge(asked, { class: 'decisions' });
      expect(await kinds()).toEqual(['cut-early']);
    });

    test('that a cut names another last record, other places or what the notary has not signed', async () => {
      await day(100);
      const { records } = await store.storedChain(quiet);
      for (const changes of [
        { last: made(quiet, 3, 'incident.closed', { answered: 'nobody', total: 1 }) },
        { from: 2 },
        {
          to: 2,
          last: records[1]?.signed ?? made(quiet, 2, 'alert.joined'),
          lastPrevious: records[1]?.previous ?? '',
          after: records[1]?.hash ?? '',
        },
        { checkpoint: 2 },
      ])
        await tell({ ...cutOf(records, 1), ...changes });
      await sign();
      expect(await kinds()).toEqual(['cut-forged', 'cut-forged', 'cut-forged', 'cut-forged']);
      await expect(carryOut()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
    });

    test('that a part of an incident was cut that went on and was decided by people', async () => {
      await store.append([
        made(quiet, 4, 'incident.reopened'),
        made(quiet, 5, 'question.asked'),
        made(quiet, 6, 'incident.closed', { answered: 'people' }),
      ]);
      await sign();
      await day(100);
      await tell(cutOf((await store.storedChain(quiet)).records.slice(0, 3), 1));
      await sign();
      expect(await kinds()).toEqual(['cut-forged']);
    });

    test('that the record of a cut is gone', async () => {
      await cutAll();
      await database.all('DELETE FROM audit_records WHERE chain = $1', [cutsChain]);
      expect(await kinds()).toEqual(['chain-missing', 'chain-missing', 'chain-missing']);
    });

    test('that what follows a cut was changed', async () => {
      await day(100);
      await write(journal, 'click.refused');
      await cutAll();
      await database.all("UPDATE audit_records SET actor = 'somebody' WHERE chain = $1", [journal]);
      expect(await kinds()).toEqual(expect.arrayContaining(['record-changed', 'record-forged']));
    });
  });

  test('if the configuration keeps records for longer now, earlier cuts are judged by the old rules', async () => {
    await cutAll();
    const longer: RecordRetention = { days: { unanswered: 365, journals: 365 }, earlier: [] };
    expect(await kinds(longer)).toEqual(['cut-early', 'cut-early']);
    const until = new Date(begin + 150 * dayMs).toISOString();
    expect(await kinds({ ...longer, earlier: [{ until, days: ninety.days }] })).toEqual([]);
  });

  test('what somebody has changed is kept, and reported', async () => {
    await day(100);
    await database.all('UPDATE audit_records SET actor = $2 WHERE chain = $1 AND place = 2', [quiet, 'somebody']);
    const { chains, problems } = await order();
    expect([chains, problems]).toEqual([1, [expect.stringContaining(`${quiet} is kept`)]]);
  });

  test('two desks that look at the same time cut nothing twice', async () => {
    await day(100);
    const results = await Promise.allSettled([order(), order()]);
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    await sign();
    expect(await kinds()).toEqual([]);
    expect(await count(cutsChain)).toBe(2);
  });

  describe('a hold', () => {
    const control = 'control/c@1';
    const give = async (person: 'ana' | 'ben', rest: { kind: 'records.hold'; scope: HoldScope } | { kind: 'records.unhold' }) => {
      const given: RecordOrder = {
        ...{ version: 1, person, at: now.toISOString(), cluster: 'c', hold: '00112233aabbccdd', reason: 'case 17' },
        ...rest,
      };
      const signer = people[person];
      const signed = { order: given, keyId: signer.keyId, signature: await signer.sign(orderBytes(given)) };
      await store.appendNext(control, async (number) =>
        makerOf(control).sign({
          ...{
            chain: control,
            number,
            at: now.toISOString(),
            kind: given.kind === 'records.hold' ? 'records.held' : 'records.unheld',
            actor: `person/${person}`,
          },
          body: { order: signed },
        }),
      );
    };
    const hold = (scope: HoldScope = { kind: 'incident', incident: quiet.slice(0, -2) }) =>
      give('ana', { kind: 'records.hold', scope });

    test.each<readonly [string, HoldScope, number]>([
      ['an incident', { kind: 'incident', incident: quiet.slice(0, -2) }, 1],
      ['one run of it', { kind: 'incident', incident: quiet.slice(0, -2), run: '1' }, 1],
      ['another run of it', { kind: 'incident', incident: quiet.slice(0, -2), run: '2' }, 0],
      ['all of that time', { kind: 'time', from: '2025-12-31T00:00:00.000Z', until: '2026-01-02T00:00:00.000Z' }, 2],
      ['another time', { kind: 'time', from: '2026-01-02T00:00:00.000Z', until: '2026-01-03T00:00:00.000Z' }, 0],
    ])('on %s keeps exactly that from being cut', async (_, scope, held) => {
      await hold(scope);
      await day(100);
      expect(await order()).toMatchObject({ chains: 2 - held, held });
    });

    test('also keeps what a recorded cut names but was not deleted yet', async () => {
      await day(100);
      await order();
      await sign();
      await hold();
      expect(await carryOut()).toMatchObject({ chains: 1, held: 1 });
      await sign();
      expect(await verify()).toMatchObject({ ok: true, cut: { ordered: 1 } });
      expect(await count(quiet)).toBe(3);
    });

    test('ends with the orders of two people, not with two of the same person', async () => {
      await hold();
      await day(100);
      await give('ben', { kind: 'records.unhold' });
      await give('ben', { kind: 'records.unhold' });
      expect(await order()).toMatchObject({ held: 1 });
      await give('ana', { kind: 'records.unhold' });
      expect(await order()).toMatchObject({ chains: 1, held: 0 });
    });

    test('does not end with two orders that are weeks apart', async () => {
      await hold();
      await day(50);
      await give('ben', { kind: 'records.unhold' });
      await day(100);
      await give('ana', { kind: 'records.unhold' });
      expect(await order()).toMatchObject({ held: 1 });
    });

    test('is found to be broken if what it held is gone', async () => {
      await hold();
      await day(100);
      await sign();
      await forge(quiet);
      expect(await kinds()).toEqual(['cut-held']);
    });

    test('that somebody removed lets nothing be cut', async () => {
      await hold();
      await sign();
      await day(100);
      await database.all('DELETE FROM audit_records WHERE chain = $1', [control]);
      await expect(order()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
    });
  });
});
