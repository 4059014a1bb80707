import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type AuditRecord, recordContent, type SignedRecord } from '../../../core/audit/audit.ts';
import { describeReport } from '../../../core/audit/audit-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { type Question, questionDigest, type Vote, voteBytes } from '../../../core/decide/approval.ts';
import { orderBytes } from '../../../core/orders/order.ts';
import { type RecordOrder, recordOrderDone, removalId } from '../../../core/orders/record-hold.ts';
import { stewardsChain } from '../../../core/people/stewards.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { createStreamFeed } from '../../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createVerifier, signerFrom } from '../../../integrations/keys/ed25519.ts';
import { nameStewards } from '../../../service/records/at-start.ts';
import { createNotary } from '../../../service/records/notary.ts';
import { carryOutRemovals } from '../../../service/records/removals.ts';
import { carryOutCuts, orderCuts, type RetentionParts } from '../../../service/records/retention.ts';
import { verifyAudit } from '../../../service/records/verify-audit.ts';
import { newPrivateKey } from '../../suites/private-key.ts';
import { deskMaker, makerOf, makersTrust } from '../../suites/signed-records.ts';

const dayMs = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-removals-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const chain = 'incident/c/shop/Deployment/cart@1';
const control = 'control/c@1';
const people = { ana: signerFrom({ pem: newPrivateKey(), name: 'ana' }), ben: signerFrom({ pem: newPrivateKey(), name: 'ben' }) };
type PersonId = keyof typeof people;
const personalKeys = createVerifier({ publicKeys: Object.values(people).map(({ publicKey }) => publicKey) });
const signers = {
  ...personalKeys,
  keyIdsFor: (person: string) => (person === 'ana' || person === 'ben' ? [people[person].keyId] : []),
};

const question: Question = {
  ...{ id: 'q', incident: { id: chain.slice(0, -2), run: '1' }, severity: 'medium', text: 'Is it expected?' },
  choices: [{ id: 'yes', label: 'Yes', plans: [], quorum: 1 }],
  ...{ levels: [{ group: 'oncall', withinMs: 900_000 }], requester: 'playbook/p', onSilence: 'Nothing happens.' },
};

describe('removing what records say', () => {
  const notaryKey = signerFrom({ pem: newPrivateKey(), name: 'notary' });
  const verifier = createVerifier({ publicKeys: [notaryKey.publicKey] });
  let database: Database;
  let store: AuditStore;
  let now: Date;
  let stores = 0;
  let records: readonly SignedRecord[];

  const signed = (of: string, number: number, kind: string, actor: string, body: AuditRecord['body']): SignedRecord =>
    makerOf(of).sign({ chain: of, number, at: now.toISOString(), kind, actor, body });
  const voteOf = async (person: PersonId) => {
    const vote: Vote = {
      ...{
        version: 1,
        id: 'v',
        incident: question.incident,
        question: 'q',
        choice: 'yes',
        questionDigest: questionDigest(question),
      },
      ...{ person, via: 'cli', at: now.toISOString(), reason: 'jane.doe@example.com asked for it' },
    };
    return { vote, keyId: people[person].keyId, signature: await people[person].sign(voteBytes(vote)) };
  };

  beforeEach(async () => {
    stores += 1;
    now = new Date('2026-01-01T00:00:00.000Z');
    database = await openDatabase({ url: `sqlite:${join(folder, `${stores}.db`)}` });
    store = createAuditStore(database);
    const told: readonly (readonly [kind: string, actor: string, body: AuditRecord['body']])[] = [
      ['incident.opened', 'sensor/falco', { text: 'mail jane.doe@example.com', alerts: [] }],
      ['question.asked', 'playbook/p', { text: 'Is it expected?', question }],
      ['vote.accepted', 'person/ana', { text: 'Ana: yes', ...(await voteOf('ana')) }],
      ['question.decided', 'person/ana', { text: 'Yes, by Ana', question: 'q', choice: 'yes', by: ['ana'] }],
      ['incident.closed', 'engine', { text: 'closed', answered: 'people' }],
    ];
    records = told.map(([kind, actor, body], index) => signed(chain, index + 1, kind, actor, body));
    await store.append(records);
    await sign();
  });
  afterEach(() => database.close());

  const sign = async (): Promise<void> => {
    const fail = (problem: unknown): never => {
      throw problem;
    };
    const options = { store, signer: notaryKey, verifier, everyMs: 60_000, now: () => now };
    await createNotary({ ...options, onAlarm: fail, onError: fail }).stop();
  };
  const parts = (): RetentionParts => ({
    ...{ store, verifier, trust: makersTrust, signers },
    ...{ retention: { days: { decisions: 90 }, earlier: [] }, now: () => now },
  });
  const give = async (person: PersonId, rest: object): Promise<void> => {
    const order = {
      version: 1,
      person,
      at: now.toISOString(),
      cluster: 'c',
      reason: 'erasure request 17',
      ...rest,
    } as RecordOrder;
    const body = { order: { order, keyId: people[person].keyId, signature: await people[person].sign(orderBytes(order)) } };
    await store.appendNext(control, async (number) =>
      signed(control, number, recordOrderDone[order.kind], `person/${person}`, body),
    );
  };
  const remove = (person: PersonId, numbers: readonly number[], of = chain): Promise<void> => {
    const what = { chain: of, records: numbers };
    return give(person, { kind: 'records.remove', removal: removalId(what), ...what });
  };
  const carryOut = () => carryOutRemovals(parts());
  const verify = () => verifyAudit(parts());
  const kinds = async () => (await verify()).findings.map(({ kind }) => kind);
  /** Ordered by both people, and carried out. */
  const removeBy = async (numbers: readonly number[], of = chain): Promise<void> => {
    await remove('ana', numbers, of);
    await remove('ben', numbers, of);
    await sign();
    await carryOut();
  };
  const everythingStored = async (): Promise<string> => {
    const tables = await database.all(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_migrations'`);
    const rows = await Promise.all(tables.map(({ name }) => database.all(`SELECT * FROM ${String(name)}`)));
    return JSON.stringify(rows);
  };

  test('needs the orders of two people within seven days, and the notary’s word for both', async () => {
    const nothing = { records: 0, held: 0, problems: [] };
    await remove('ana', [1, 3]);
    await remove('ana', [1, 3]);
    await sign();
    expect(await carryOut()).toEqual(nothing);
    const { records: orders } = await store.storedChain(control);
    expect(orders.map((row) => row.signed?.record.kind)).toEqual(['records.remove-ordered', 'records.remove-ordered']);
    now = new Date(now.getTime() + 8 * dayMs);
    await remove('ben', [1, 3]);
    await sign();
    expect(await carryOut()).toEqual(nothing);
    await remove('ana', [1, 3]);
    expect(await carryOut()).toEqual(nothing);
    await sign();
    expect(await verify()).toMatchObject({ ok: true, removed: { records: 0, ordered: 1 } });
    expect(await carryOutRemovals(parts(), { isTrial: true })).toMatchObject({ records: 2 });
    expect(await carryOut()).toMatchObject({ records: 2 });
    expect(await carryOut()).toEqual(nothing);
  });

  test('leaves nothing of it in the database, and the chain as it was: each hash, each signature, time and kind', async () => {
    await database.all(`INSERT INTO stored_alerts (chain, number, at, sealed) VALUES ($1, 1, '2026-01-01', 'x')`, [chain]);
    const before = await store.storedChain(chain);
    await removeBy([1, 3]);
    expect(await everythingStored()).not.toContain('jane.doe');
    expect(await database.all('SELECT chain FROM stored_alerts')).toEqual([]);
    const after = await store.storedChain(chain);
    expect(after.head).toEqual(before.head);
    expect(after.records.map(({ hash }) => hash)).toEqual(before.records.map(({ hash }) => hash));
    expect(after.records.map(({ signed: one }) => one?.removed !== undefined)).toEqual([true, false, true, false, false]);
    expect(after.records[2]?.signed).toMatchObject({ salt: '', record: { number: 3, kind: 'vote.accepted', actor: 'removed' } });
    const report = await verify();
    expect(report).toMatchObject({ ok: true, findings: [], removed: { records: 2, ordered: 0 } });
    expect(describeReport(report)).toContain(
      'The content of 2 records was removed: two people ordered each removal, on record and signed.',
    );
  });

  test('leaves nothing to guess with: whoever knows all but a name cannot try names', async () => {
    const [opened] = records;
    if (!opened) throw new Error('no record');
    await removeBy([1]);
    const left = (await store.storedChain(chain)).records[0]?.signed;
    const guess = { ...opened, salt: '' };
    expect(recordContent(opened)).toBe(left?.removed);
    expect(recordContent({ ...guess, record: { ...opened.record } })).not.toBe(left?.removed);
    expect(await everythingStored()).not.toContain(opened.salt);
  });

  test('also works on what a desk has written, and streams, a second delivery and a later cut go on', async () => {
    for (const number of [1, 2])
      await store.appendNext('desk/main', async () =>
        signed('desk/main', number, 'click.refused', 'slack/U1', { text: 'jane.doe' }),
      );
    const feed = createStreamFeed(database);
    await feed.begin('siem', 'beginning');
    await sign();
    await removeBy([2], 'desk/main');
    await removeBy([1]);
    expect(await everythingStored()).not.toContain('example.com","alerts');
    const { found } = await store.append(records);
    expect(found).toEqual([]);
    expect((await feed.behind('siem', { most: 10 })).map((one) => one.chain)).toContain('desk/main');
    now = new Date(now.getTime() + 100 * dayMs);
    await sign();
    expect(await orderCuts({ ...parts(), signer: signerFrom({ pem: deskMaker.pem, name: 'desk' }) })).toMatchObject({
      records: 5,
    });
    await sign();
    await carryOutCuts(parts());
    expect(await verify()).toMatchObject({ ok: true, cut: { records: 5 }, removed: { records: 1, ordered: 0 } });
  });

  test('is done without findings if the notary signs while checkpoints are read', async () => {
    await remove('ana', [1]);
    await remove('ben', [1]);
    await sign();
    const { store: audit, ...others } = parts();
    const meanwhile: typeof audit = {
      ...audit,
      checkpoints: async (asked) => {
        if (asked.after < 0) {
          now = new Date(now.getTime() + 60_000);
          await store.appendNext('desk/main', async (number) =>
            signed('desk/main', number, 'click.refused', 'slack/U1', { text: '' }),
          );
          await sign();
        }
        return audit.checkpoints(asked);
      },
    };
    expect(await carryOutRemovals({ ...others, store: meanwhile })).toMatchObject({ records: 1 });
    expect((await verifyAudit({ ...others, store: meanwhile })).findings).toEqual([]);
  });

  test('is not done under a hold', async () => {
    await remove('ana', [1]);
    await remove('ben', [1]);
    await give('ana', {
      kind: 'records.hold',
      hold: '00112233aabbccdd',
      scope: { kind: 'incident', incident: chain.slice(0, -2) },
    });
    await sign();
    expect(await carryOut()).toEqual({ records: 0, held: 1, problems: [] });
    expect(await verify()).toMatchObject({ ok: true, removed: { records: 0, ordered: 1 } });
  });

  test('that was done despite a hold is found as long as the hold lasts', async () => {
    const hold = '00112233aabbccdd';
    await give('ana', { kind: 'records.hold', hold, scope: { kind: 'incident', incident: chain.slice(0, -2) } });
    await sign();
    await remove('ana', [1]);
    await remove('ben', [1]);
    await sign();
    expect(await carryOut()).toMatchObject({ held: 1 });
    // Removed with the database’s password, or by a desk that ignores holds.
    const [first] = records;
    if (!first) throw new Error('no record');
    await store.removeContent({ chain, place: 1, number: 1, content: recordContent(first) });
    expect((await verify()).findings).toMatchObject([
      { kind: 'removal-held', chain, number: 1, text: expect.stringContaining(`though ana had ordered to hold`) },
    ]);
    for (const person of ['ana', 'ben'] as const) await give(person, { kind: 'records.unhold', hold });
    await sign();
    expect(await verify()).toMatchObject({ ok: true });
  });

  test('that was ordered before a hold is not held against whoever carried it out', async () => {
    await removeBy([1]);
    const scope = { kind: 'incident', incident: chain.slice(0, -2) };
    await give('ana', { kind: 'records.hold', hold: '00112233aabbccdd', scope });
    await sign();
    expect(await verify()).toMatchObject({ ok: true, removed: { records: 1, ordered: 0 } });
  });

  describe('the list of stewards that a desk has recorded', () => {
    const name = (...stewards: readonly string[]) => nameBy('c', ...stewards);
    const nameBy = (desk: string, ...stewards: readonly string[]) =>
      nameStewards({
        desk,
        ...{ store, trust: makersTrust, signer: signerFrom({ pem: deskMaker.pem, name: 'desk' }), now: () => now },
        ...{ roster: { groups: { leads: stewards } }, groups: ['leads'] },
      });
    const later = (days: number): void => {
      now = new Date(now.getTime() + days * dayMs);
    };

    test('is recorded once until it changes, and never cut', async () => {
      await name();
      await name('ben', 'ana');
      await name('ana', 'ben');
      await name('ana');
      const { records: named } = await store.storedChain(stewardsChain);
      expect(named.map(({ signed: one }) => one?.record.body.stewards)).toEqual([['ana', 'ben'], ['ana']]);
      await sign();
      later(1_000);
      await sign();
      await orderCuts({
        ...parts(),
        signer: signerFrom({ pem: deskMaker.pem, name: 'desk' }),
        retention: { days: { journals: 1 }, earlier: [] },
      });
      await sign();
      await carryOutCuts(parts());
      expect((await store.storedChain(stewardsChain)).records).toHaveLength(2);
    });

    test('is changed by a desk only if it is its own: two desks of one database do not keep overruling each other', async () => {
      await nameBy('c', 'ana', 'ben');
      await expect(nameBy('d', 'ana')).rejects.toMatchObject({
        code: 'FB_ERR_REFUSED',
        detail: expect.stringMatching(
          /desk of c, .* stewards are ana, ben; .*configuration of this desk, of d, stewards are ana\./,
        ),
      });
      await expect(nameBy('d')).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      // A desk that agrees takes over the statement, such as a desk of another name that replaces it.
      await nameBy('d', 'ana', 'ben');
      await nameBy('d', 'ana');
      await expect(nameBy('c', 'ana', 'ben')).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      const { records: named } = await store.storedChain(stewardsChain);
      expect(named.map(({ signed: one }) => [one?.record.body.desk, one?.record.body.stewards])).toEqual([
        ['c', ['ana', 'ben']],
        ['d', ['ana', 'ben']],
        ['d', ['ana']],
      ]);
    });

    test('admits only orders of these, and the check judges each order by who was a steward then', async () => {
      await name('ana', 'ben');
      await sign();
      later(1);
      await removeBy([1]);
      const report = await verify();
      expect(report).toMatchObject({ ok: true, removed: { records: 1 } });
      expect(report.notes.join()).not.toContain('steward');
      later(1);
      await name('ana');
      await sign();
      later(1);
      // Ben has left; what he ordered before still counts.
      await removeBy([3]);
      const found = await verify();
      expect(found).toMatchObject({
        removed: { records: 1 },
        findings: [{ kind: 'order-unauthorised', chain: control, number: 4 }],
      });
      expect(found.findings[0]?.text).toContain('ben ordered records.remove, but was not a steward at that time');
    });

    test('does not make an order valid by naming somebody afterwards, nor one that is backdated', async () => {
      await name('ana');
      await sign();
      later(2);
      const today = now;
      now = new Date(today.getTime() - 3 * dayMs);
      await remove('ana', [1]);
      await remove('ben', [1]);
      now = today;
      await sign();
      later(1);
      await name('ana', 'ben');
      await sign();
      expect(await carryOut()).toMatchObject({ records: 0 });
      expect(await kinds()).toEqual(['order-unauthorised']);
    });

    test('is believed only from desks: a cell makes nobody a steward', async () => {
      await name('ana');
      const body = { text: '', stewards: ['ana', 'ben'] };
      await store.append([
        makerOf('control/c@1').sign({
          chain: stewardsChain,
          number: 2,
          at: now.toISOString(),
          kind: 'stewards.named',
          actor: 'desk',
          body,
        }),
      ]);
      await sign();
      await removeBy([1]);
      const found = await kinds();
      expect(found).toContain('order-unauthorised');
      expect(found).toContain('record-forged');
      expect((await store.storedChain(chain)).records[0]?.signed?.removed).toBeUndefined();
    });

    test('is reported as missing if there is none, and the cell’s word counts', async () => {
      await removeBy([1]);
      const report = await verify();
      expect(report).toMatchObject({ ok: true, removed: { records: 1 } });
      expect(report.notes).toEqual([
        expect.stringContaining('for 2 orders that only stewards may give, no record shows who was'),
      ]);
    });
  });

  describe('otherwise it is found', () => {
    const strip = async (place: number): Promise<void> => {
      const content = (await store.storedChain(chain)).records[place - 1]?.signed;
      await store.removeContent({ chain, place, number: place, content: content ? recordContent(content) : '' });
    };

    test('that somebody with the database’s password removed what a record said', async () => {
      await strip(3);
      expect(await kinds()).toEqual(['content-removed']);
    });

    test('that other records were emptied than those that were ordered', async () => {
      await removeBy([1]);
      await strip(3);
      expect((await verify()).findings).toMatchObject([{ kind: 'content-removed', number: 3 }]);
    });

    test.each([
      ['its kind', `kind = 'incident.closed'`],
      ['its time', `at = '2025-01-01T00:00:00.000Z'`],
      ['the hash of what it said', `removed = '${'a'.repeat(64)}'`],
      ['what it says', `removed = '', body = '{"text":"nothing happened"}', actor = 'engine'`],
    ])('that somebody changed in an emptied record: %s', async (_, change) => {
      await removeBy([3]);
      await database.all(`UPDATE audit_records SET ${change} WHERE chain = $1 AND place = 3`, [chain]);
      expect(await kinds()).toEqual(expect.arrayContaining(['record-changed', 'record-forged']));
    });

    test.each([
      ['who did it', `actor = 'person/ana'`],
      ['what it says', `body = '{"text":"nothing happened"}'`],
      ['its salt', `salt = '${'a'.repeat(32)}'`],
    ])('that somebody put back next to the hash of what was removed: %s', async (_, change) => {
      await removeBy([3]);
      await database.all(`UPDATE audit_records SET ${change} WHERE chain = $1 AND place = 3`, [chain]);
      const [first, ...others] = (await verify()).findings;
      expect(first).toMatchObject({ kind: 'record-changed', chain, number: 3 });
      expect(others.map(({ kind }) => kind)).toContain('record-missing');
    });

    test('that an order was not signed by its person', async () => {
      await remove('ana', [3]);
      await remove('ben', [3]);
      await database.all(`UPDATE audit_records SET body = replace(body, '"records":[3]', '"records":[4]') WHERE chain = $1`, [
        control,
      ]);
      await sign();
      await expect(carryOut()).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_DAMAGED' });
    });
  });
});
