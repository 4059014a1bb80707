import { afterEach, describe, expect, test } from '@jest/globals';
import {
  type AuditRecord,
  type ChainHead,
  genesisHash,
  recordHash,
  recordLink,
  type SignedRecord,
} from '../../core/audit/audit.ts';
import type { AuditStore, RecordProof } from '../../core/audit/audit-store.ts';
import type { StoredButton } from '../../core/cards/card.ts';
import { mostAnswers } from '../../core/incident/click-reply.ts';
import { recordColumns } from '../../integrations/database/audit-rows.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { createCardStore } from '../../integrations/database/card-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createThreadPlaces } from '../../integrations/database/thread-places.ts';
import { createTicketMailbox } from '../../integrations/database/ticket-mailbox.ts';
import { questionCard } from '../integrations/slack/fixture.ts';
import { maker, makerOf } from './signed-records.ts';

export function record(chain: string, number: number, body: AuditRecord['body'] = { step: 'quarantinePod' }): AuditRecord {
  return {
    chain,
    number,
    at: `2026-03-01T10:00:${String(number % 60).padStart(2, '0')}.000Z`,
    kind: 'step.applied',
    actor: 'engine',
    body,
  };
}

/** Records as their maker signs them. */
export function run(chain: string, from: number, to: number): readonly SignedRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => signed(chain, from + index));
}

/** After every fourth record, its maker has forgotten what it signed before. */
function signed(chain: string, number: number, changes: Partial<AuditRecord> = {}): SignedRecord {
  const given = { ...record(chain, number), ...changes };
  return number < 2 || number % 4 === 1 ? makerOf(chain).sign(given) : makerOf(chain).signAfter(given, signed(chain, number - 1));
}

async function recordsIn(audit: AuditStore | undefined, chain: string): Promise<readonly AuditRecord[]> {
  return ((await audit?.storedChain(chain))?.records ?? []).flatMap(({ signed: one }) => one?.record ?? []);
}

export async function headsIn(audit: Pick<AuditStore, 'eachHead'>): Promise<readonly ChainHead[]> {
  const heads: ChainHead[] = [];
  await audit.eachHead((some) => heads.push(...some));
  return heads;
}

/** All records of these kinds, from the beginning. */
export async function recordsOfKinds(
  audit: Pick<AuditStore, 'eachOfKinds'>,
  kinds: readonly string[],
): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const rows of audit.eachOfKinds({ kinds, since: '' }))
    records.push(...rows.flatMap(({ signed: one }) => one?.record ?? []));
  return records;
}

function told(records: readonly SignedRecord[]): readonly AuditRecord[] {
  return records.map((one) => one.record);
}

/** What the store guarantees, on any database: `newUrl` returns the address of one without rows. */
export function auditStoreSuite(newUrl: () => Promise<string>): void {
  const opened: Database[] = [];
  const open = async (url: string): Promise<Database> => {
    const database = await openDatabase({ url });
    opened.push(database);
    return database;
  };
  const store = async () => createAuditStore(await open(await newUrl()));
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });

  describe('the audit store', () => {
    test('chains records by their hashes and gives them back as they were', async () => {
      const audit = await store();
      const odd = record('a@1', 2, { 'text\0': 'cut \ud83d', list: [1, null, { deep: true }], quote: `'"$1` });
      const { head, found } = await audit.append([signed('a@1', 1), maker.sign(odd)]);
      const { records, head: stored } = await audit.storedChain('a@1');
      const first = recordHash(signed('a@1', 1), genesisHash);
      expect(found).toEqual([]);
      expect(records.map(({ place, signed: one }) => [place, one?.record.number])).toEqual([
        [1, 1],
        [2, 2],
      ]);
      expect(records.map(({ previous }) => previous)).toEqual([genesisHash, first]);
      expect(head).toEqual({ chain: 'a@1', number: 2, hash: records[1]?.hash });
      expect(stored).toEqual(head);
      expect((await recordsIn(audit, 'a@1'))[1]?.body).toEqual({ ...odd.body, 'text\0': 'cut \ufffd' });
      expect(await headsIn(audit)).toEqual([head]);
      expect(await audit.chains([''])).toEqual(['a@1']);
    });

    test('gives the records of some kinds, from some time on, out of all chains and by time', async () => {
      const audit = await store();
      await audit.append([signed('b@1', 1), signed('b@1', 2, { kind: 'question.asked' })]);
      await audit.append([signed('a@1', 1), signed('a@1', 2, { kind: 'question.void' }), signed('a@1', 3)]);
      const late = signed('c@1', 1, { kind: 'question.asked', at: '2026-02-28T23:59:59.999Z' });
      await audit.append([late]);
      const found: (readonly [chain: string | undefined, number: number | undefined])[] = [];
      const asked = { kinds: ['question.asked', 'question.void'], since: '2026-03-01T00:00:00.000Z' };
      for await (const page of audit.eachOfKinds(asked))
        found.push(...page.map(({ signed: one }) => [one?.record.chain, one?.record.number] as const));
      expect(found).toEqual([
        ['a@1', 2],
        ['b@1', 2],
      ]);
    });

    test('gives very many records of some kinds by time, some at once and each once', async () => {
      const audit = await store();
      const kinds = ['question.asked', 'question.void'] as const;
      const many = Array.from({ length: 1_300 }, (_, index) => {
        // Some have the same time, more than are read at once.
        const seconds = index < 600 ? 0 : index - 600;
        const at = new Date(Date.UTC(2026, 2, 1) + seconds * 1_000).toISOString();
        return signed('many@1', index + 1, { at, kind: kinds[index % 3 === 0 ? 0 : 1] });
      });
      await audit.append(many);
      const numbers: (number | undefined)[] = [];
      const pages: number[] = [];
      for await (const page of audit.eachOfKinds({ kinds, since: '2026-03-01T00:00:00.000Z' })) {
        pages.push(page.length);
        numbers.push(...page.map(({ signed: one }) => one?.record.number));
      }
      expect(numbers).toEqual(many.map(({ record: { number } }) => number));
      expect(Math.max(...pages)).toBe(500);
    });

    test('gives the heads of very many chains, some at once and each once, as of one moment', async () => {
      const url = await newUrl();
      const [database, other] = [await open(url), await open(url)];
      const audit = createAuditStore(database);
      const head = (nth: number) => ({ chain: `a${String(nth).padStart(5, '0')}@1`, number: nth, hash: 'h' });
      const all = Array.from({ length: 12_000 }, (_, nth) => head(nth));
      for (let start = 0; start < all.length; start += 4_000) {
        const rows = all.slice(start, start + 4_000).map(({ chain, number, hash }) => `('${chain}', ${number}, '${hash}')`);
        await database.all(`INSERT INTO audit_heads (chain, number, hash) VALUES ${rows.join(', ')}`);
      }
      const pages: ChainHead[][] = [];
      await audit.eachHead((some) => pages.push([...some]));
      expect(pages.flat()).toEqual(all);
      expect(Math.max(...pages.map(({ length }) => length))).toBe(5_000);
      // Records written between two parts are not included.
      let written: Promise<unknown> | undefined;
      const then: ChainHead[] = [];
      await audit.eachHead((some) => {
        then.push(...some);
        written ??= createAuditStore(other).append(run('z@1', 1, 1));
      });
      expect(then).toEqual(all);
      await written;
      expect(await headsIn(audit)).toHaveLength(12_001);
    });

    test('reads chains of any length and number, those of each together and by place', async () => {
      const audit = await store();
      const lengths = [1, 124, 125, 126, 300, ...Array.from({ length: 30 }, () => 2)];
      const chains = lengths.map((_, index) => `a${index}@1`);
      for (const [index, length] of lengths.entries()) await audit.append(run(chains[index] ?? '', 1, length));
      const read = async (wanted?: readonly string[]): Promise<readonly (readonly [string, number])[]> => {
        const rows: (readonly [string, number])[] = [];
        for await (const some of wanted ? audit.proofsOf(wanted, () => true) : audit.eachRow(() => true))
          rows.push(...some.map(({ chain, place }) => [chain, place] as const));
        return rows;
      };
      const told = (wanted: readonly string[]) =>
        wanted.flatMap((chain) => run(chain, 1, lengths[chains.indexOf(chain)] ?? 0).map(({ record }) => [chain, record.number]));
      expect(await read()).toEqual(told(chains.toSorted()));
      // In the order requested, each once.
      const wanted = [...chains.slice(1).reverse(), 'nobody@1', 'a4@1'];
      expect(await read(wanted)).toEqual(told(chains.slice(1).reverse()));
      expect(await read([])).toEqual([]);
      expect(await audit.chains([''])).toEqual(chains.toSorted());
      expect(await audit.chains(['a30@', 'a4', 'b'])).toEqual(['a30@1', 'a4@1']);
    });

    test('reads what some records of a chain say, and of the others what proves these', async () => {
      const audit = await store();
      const given = run('a@1', 1, 300);
      await audit.append(given);
      const isWanted = ({ at }: Pick<AuditRecord, 'at'>): boolean => at.endsWith(':20.000Z');
      for (const pages of [audit.proofsOf(['a@1'], isWanted), audit.eachRow(isWanted)]) {
        const rows: RecordProof[] = [];
        for await (const some of pages) rows.push(...some);
        expect(rows.map(({ signed: one }) => one && recordLink(one))).toEqual(given.map(recordLink));
        expect(rows.map(({ signed: one }) => one?.record.body)).toEqual(
          given.map(({ record: one }) => (isWanted(one) ? one.body : {})),
        );
      }
    });

    test('reads the rows of some numbers, also where somebody wrote there, and a chain up to a place', async () => {
      const database = await open(await newUrl());
      const audit = createAuditStore(database);
      await audit.append(run('a@1', 1, 600));
      await database.all(
        `INSERT INTO audit_records (${recordColumns}) SELECT ${recordColumns.replace('place', '9000')} FROM audit_records WHERE place = 3`,
      );
      const read = async (numbers: readonly number[]) => {
        const places: number[] = [];
        for await (const rows of audit.numbered('a@1', numbers)) places.push(...rows.map(({ place }) => place));
        return places;
      };
      expect(await read([600, 3, 7, 601, 2 ** 40])).toEqual([3, 7, 600, 9000]);
      expect(await read(Array.from({ length: 600 }, (_, index) => index + 1))).toHaveLength(601);
      expect(await read([])).toEqual([]);
      const places: number[] = [];
      const head = await audit.eachOfChain('a@1', (rows) => places.push(...rows.map(({ place }) => place)), 550);
      expect(places).toEqual(Array.from({ length: 550 }, (_, index) => index + 1));
      expect(head?.number).toBe(600);
    });

    test('names the chains that have records of some kinds in a time, of any length', async () => {
      const audit = await store();
      const at = (time: string) => ({ kind: 'question.asked', at: time });
      await audit.append([signed('a@1', 1, at('2024-12-31T23:59:59.999Z'))]);
      await audit.append([signed('b@1', 1, at('2025-01-01T00:00:00.000Z'))]);
      await audit.append([signed('c@1', 1, at('2025-06-01T00:00:00.000Z')), signed('c@1', 2, at('2025-07-01T12:00:00.000Z'))]);
      await audit.append([signed('d@1', 1, { kind: 'question.void', at: '2025-06-01T00:00:00.000Z' })]);
      await audit.append([signed('e@1', 1, at('2026-12-31T23:59:59.999Z'))]);
      await audit.append([signed('f@1', 1, at('2027-01-01T00:00:00.000Z'))]);
      const asked = { kinds: ['question.asked', 'question.decided'], since: '2025-01-01T00:00:00.000Z' };
      const found = async (until: string) => (await audit.chainsWith({ ...asked, until })).toSorted();
      expect(await found('2027-01-01T00:00:00.000Z')).toEqual(['b@1', 'c@1', 'e@1']);
      expect(await found('2025-01-01T00:00:00.001Z')).toEqual(['b@1']);
      expect(await found('2025-01-01T00:00:00.000Z')).toEqual([]);
    });

    test('acknowledges what it has, and takes the rest of a batch that it half knows', async () => {
      const audit = await store();
      const first = await audit.append(run('a@1', 1, 3));
      expect(await audit.append(run('a@1', 2, 3))).toEqual(first);
      expect(await audit.append(run('a@1', 2, 250))).toMatchObject({ head: { number: 250 }, found: [] });
      expect(await recordsIn(audit, 'a@1')).toEqual(told(run('a@1', 1, 250)));
    });

    test.each([
      ['a batch with a gap inside', [signed('a@1', 4), signed('a@1', 6)]],
      ['a batch of two chains', [signed('a@1', 4), signed('b@1', 5)]],
      ['a batch of what is no number', [signed('a@1', 0)]],
      ['an empty batch', []],
    ])('refuses %s and writes nothing', async (_, batch) => {
      const audit = await store();
      const { head } = await audit.append(run('a@1', 1, 3));
      await expect(audit.append(batch)).rejects.toMatchObject({ code: 'FB_ERR_AUDIT_CONFLICT' });
      expect(await headsIn(audit)).toEqual([head]);
      expect(await recordsIn(audit, 'a@1')).toHaveLength(3);
    });

    test('gives one order to writers that come at once, on two connections', async () => {
      const url = await newUrl();
      const audits = [createAuditStore(await open(url)), createAuditStore(await open(url))];
      const attempts = Array.from({ length: 20 }, (_, index) => audits[index % 2]?.append(run('a@1', 1, 1 + (index % 7))));
      await Promise.all(attempts);
      expect(await recordsIn(audits[0], 'a@1')).toEqual(told(run('a@1', 1, 7)));
    });

    test('keeps a true record beside another one under its number, and tells of it', async () => {
      const audit = await store();
      await audit.append([...run('a@1', 1, 1), signed('a@1', 2, { body: { step: 'deletePod' } })]);
      const { head, found } = await audit.append(run('a@1', 2, 3));
      expect(found).toEqual([expect.objectContaining({ kind: 'record-doubled', chain: 'a@1', number: 2 })]);
      expect(head.number).toBe(4);
      const { records } = await audit.storedChain('a@1');
      expect(records.map(({ place, signed: one }) => [place, one?.record.number])).toEqual([
        [1, 1],
        [2, 2],
        [3, 2],
        [4, 3],
      ]);
      // When sent again, nothing is written again, and the same is reported again.
      expect(await audit.append(run('a@1', 2, 3))).toEqual({ head, found });
    });

    test('takes records after a gap, and tells of it: what was lost keeps nothing else out', async () => {
      const audit = await store();
      await audit.append(run('a@1', 1, 2));
      const { head, found } = await audit.append(run('a@1', 5, 6));
      expect([head.number, found.map(({ kind, number }) => [kind, number])]).toEqual([4, [['record-missing', 4]]]);
    });

    test('numbers what several write at once to one chain', async () => {
      const url = await newUrl();
      const audits = [createAuditStore(await open(url)), createAuditStore(await open(url))];
      const make = async (number: number) => signed('desk/main', number);
      await Promise.all(Array.from({ length: 20 }, (_, index) => audits[index % 2]?.appendNext('desk/main', make)));
      expect(await recordsIn(audits[0], 'desk/main')).toEqual(told(run('desk/main', 1, 20)));
    });

    const columns = 'chain, place, number, at, kind, actor, body, key_id, follows, signature, previous, hash';
    const falseRow = (place: number, number: number): string =>
      `INSERT INTO audit_records (${columns}) VALUES ('a@1', ${place}, ${number}, 't', 'k', 'engine', '{}', '', '', '', '${genesisHash}', 'h')`;
    const setHead = (number: number): string => `UPDATE audit_heads SET number = ${number}, hash = 'h' WHERE chain = 'a@1'`;
    const top = 2 ** 31 - 1;

    test.each([
      ['a false record in the next place', [falseRow(4, 4)]],
      ['a false record in the next place, and the head on it', [falseRow(4, 4), setHead(4)]],
      ['false records further on', [falseRow(5, 4), falseRow(6, 5), falseRow(6_000, 6)]],
      ['false records at both ends of what fits', [falseRow(top, top), falseRow(-top, 4)]],
      ['a head far beyond', [setHead(top)]],
      ['a head that was set back', [setHead(0)]],
      ['a head below all', [setHead(-top)]],
      ['no head', [`DELETE FROM audit_heads`]],
      ['no rows', [`DELETE FROM audit_records`]],
      ['another hash in the last row', [`UPDATE audit_records SET hash = 'h' WHERE place = 3`]],
    ])('takes every true record, and each once, after somebody has left %s', async (_, statements) => {
      const database = await open(await newUrl());
      const audit = createAuditStore(database);
      await audit.append(run('a@1', 1, 3));
      for (const statement of statements) await database.all(statement);
      await audit.append(run('a@1', 4, 6));
      await audit.append(run('a@1', 5, 8));
      await audit.append(run('a@1', 9, 130));
      const { keyId } = signed('a@1', 1);
      const { records } = await audit.storedChain('a@1');
      const numbers = records.flatMap(({ signed: one }) => (one?.keyId === keyId ? one.record.number : []));
      const kept = statements[0]?.startsWith('DELETE FROM audit_records') ? [] : [1, 2, 3];
      expect(numbers).toEqual([...kept, ...Array.from({ length: 127 }, (__, index) => index + 4)]);
      await audit.appendNext('a@1', async (number) => signed('a@1', number));
    });

    test('keeps every event of a ticket, though several come at once on two connections', async () => {
      const url = await newUrl();
      const [first, second] = [createTicketMailbox(await open(url)), createTicketMailbox(await open(url))];
      const incident = { id: 'incident/c/shop/Deployment/cart', run: 'run-1' };
      await first.bind({ system: 'github', id: '7' }, incident);
      const texts = Array.from({ length: 12 }, (_, index) => `comment ${index}`);
      const put = (text: string, index: number) =>
        (index % 2 === 0 ? first : second).put('github', text, { ticket: '7', deed: 'commented', by: 'ada', text });
      expect(await Promise.all(texts.map(put))).toEqual(texts.map(() => incident));
      const news = await first.after(incident, 0, 20);
      expect(news.map(({ number }) => number)).toEqual(texts.map((_, index) => index + 1));
      for (const text of texts) expect(news.filter(({ words }) => words.endsWith(text))).toHaveLength(1);
    });

    test('has one place for the address of a thread, though two comments claim it at once on two connections', async () => {
      const url = await newUrl();
      const [first, second] = [createThreadPlaces(await open(url)), createThreadPlaces(await open(url))];
      const place = { carrier: 'body', url: 'https://acme.slack.com/archives/C1/p1' } as const;
      const none = { carrier: 'none', url: '' } as const;
      expect(await first.of('ticket/a')).toBeUndefined();
      expect(await first.claim('ticket/a', none)).toEqual(none);
      // It was filed without an address, so a later attempt at filing it must not claim the body.
      expect(await second.claim('ticket/a', place)).toEqual(none);
      const claims = await Promise.all([
        first.claim('ticket/a', { ...place, carrier: 'comment:1' }),
        second.claim('ticket/a', { ...place, carrier: 'comment:2' }),
      ]);
      expect(new Set(claims.map(({ carrier }) => carrier)).size).toBe(1);
      expect(await second.of('ticket/a')).toEqual(claims[0]);
    });

    test('undoes a transaction that throws, and goes on', async () => {
      const database = await open(await newUrl());
      const failing = database.transaction(async (queries) => {
        await queries.all(`INSERT INTO card_messages VALUES ('k', 'C1', '1')`);
        throw new Error('halfway');
      });
      await expect(failing).rejects.toThrow('halfway');
      await expect(database.all('SELECT nonsense FROM card_messages')).rejects.toMatchObject({ code: 'FB_ERR_INTERNAL' });
      expect(await database.all('SELECT * FROM card_messages')).toEqual([]);
    });
  });

  describe('the card store', () => {
    const button = (choice: string, changes: Partial<StoredButton> = {}): StoredButton => ({
      buttonId: `random-${choice}`,
      incident: { id: 'incident/c/shop/Deployment/cart', run: 'run-1' },
      question: 'q1',
      questionDigest: 'd1',
      choice,
      label: `Yes, ${choice}`,
      groups: ['oncall'],
      requester: 'playbook/contain',
      ...changes,
    });

    test('keeps the first ids of a question and takes over whom it asks now', async () => {
      const cards = createCardStore(await open(await newUrl()));
      await cards.saveButtons([button('release'), button('remove')]);
      await cards.saveButtons([button('release', { buttonId: 'again', groups: ['oncall', 'leads'] })]);
      expect((await cards.buttonsOf('q1')).map(({ buttonId, groups }) => [buttonId, groups])).toEqual([
        ['random-release', ['oncall', 'leads']],
        ['random-remove', ['oncall']],
      ]);
      expect(await cards.button('random-remove')).toEqual(button('remove'));
      expect(await cards.button('again')).toBeUndefined();
    });

    test('replaces the buttons of what is asked anew, and of nothing else', async () => {
      const cards = createCardStore(await open(await newUrl()));
      await cards.saveButtons([button('release'), button('remove')]);
      await cards.replaceButtons([button('release', { buttonId: 'anew', questionDigest: 'd2' })]);
      expect((await cards.buttonsOf('q1')).map(({ buttonId, questionDigest }) => [buttonId, questionDigest])).toEqual([
        ['anew', 'd2'],
        ['random-remove', button('remove').questionDigest],
      ]);
      expect(await cards.button('random-release')).toBeUndefined();
      for (const other of [
        button('ignore'),
        button('release', { incident: { id: 'incident/c/shop/Deployment/cart', run: 'run-2' } }),
      ])
        await expect(cards.replaceButtons([other])).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
    });

    test('refuses buttons for the same question of another incident', async () => {
      const cards = createCardStore(await open(await newUrl()));
      await cards.saveButtons([button('release')]);
      const other = button('release', { incident: { id: 'incident/c/shop/Deployment/cart', run: 'run-2' } });
      await expect(cards.saveButtons([other])).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
    });

    test('takes over the run that asks about a proposal now', async () => {
      const cards = createCardStore(await open(await newUrl()));
      await cards.saveButtons([button('approve', { incident: { id: 'control/c', run: 'run-1' } })]);
      const asked = { incident: { id: 'control/c', run: 'run-2' }, questionDigest: 'd2' };
      await cards.saveButtons([button('approve', { ...asked, buttonId: 'again' })]);
      expect(await cards.buttonsOf('q1')).toEqual([button('approve', asked)]);
      const other = button('approve', { incident: { id: 'control/d', run: 'run-3' } });
      await expect(cards.saveButtons([other])).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
    });

    test('remembers where a message is', async () => {
      const cards = createCardStore(await open(await newUrl()));
      expect(await cards.message('q1')).toBeUndefined();
      await cards.saveMessage('q1', { channel: 'C1', ts: '1700000000.000100' });
      await cards.saveMessage('q1', { channel: 'C1', ts: '1700000000.000200' });
      expect(await cards.message('q1')).toEqual({ channel: 'C1', ts: '1700000000.000200' });
    });

    test('remembers the card as it was last shown, and open dialogs for a day', async () => {
      const cards = createCardStore(await open(await newUrl()));
      expect(await cards.card('question-1')).toBeUndefined();
      await cards.saveCard({ card: questionCard(), changedAt: 0 });
      await cards.saveCard({ card: questionCard({ text: 'Is it?' }), changedAt: 1_700_000_000_123 });
      expect(await cards.card('question-1')).toEqual({ card: questionCard({ text: 'Is it?' }), changedAt: 1_700_000_000_123 });
      const modal = {
        modalId: 'm1',
        buttonId: 'b1',
        slackUser: 'U1',
        channel: 'C1',
        messageTs: '1.2',
        openedAt: 1_700_000_000_123,
      };
      await cards.saveModal(modal);
      await cards.saveModal({ ...modal, viewId: 'V1' });
      expect(await cards.modal('m1')).toEqual({ ...modal, viewId: 'V1' });
      await cards.saveModal({ ...modal, modalId: 'm2', openedAt: modal.openedAt + 2 * 86_400_000 });
      expect(await cards.modal('m1')).toBeUndefined();
    });

    test('gives each who was not answered to one caller, when it has been long', async () => {
      const cards = createCardStore(await open(await newUrl()));
      const one = { id: 'r1', at: 1_700_000_000_123, slackUser: 'U1', channel: 'C1', messageTs: '1.2' };
      for (const id of ['r1', 'r2', 'r3']) await cards.saveUnanswered({ ...one, id });
      await cards.saveUnanswered({ ...one, id: 'r4', at: one.at + 1 });
      await cards.forgetUnanswered('r3');
      const taken = await Promise.all([cards.takeUnanswered(one.at + 1), cards.takeUnanswered(one.at + 1)]);
      expect(taken.flat().sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([one, { ...one, id: 'r2' }]);
      expect(await cards.takeUnanswered(one.at)).toEqual([]);
      expect(await cards.takeUnanswered(one.at + 2)).toEqual([{ ...one, id: 'r4', at: one.at + 1 }]);
    });

    test('knows for a day where the answer to a click goes, and not for more answers than anybody needs', async () => {
      const cards = createCardStore(await open(await newUrl()));
      const to = { channel: 'C1', user: 'U1', about: 'shop/cart', together: { id: 't', name: 'cart' } };
      const reply = { click: 'click-1', signature: 's', incident: 'incident/a/b/c/d', to, at: 1_700_000_000_123 };
      expect(await cards.reply('click-1')).toBeUndefined();
      await cards.saveReply(reply);
      await cards.saveReply(reply);
      for (let told = 0; told < mostAnswers; told += 1) {
        expect(await cards.reply('click-1')).toEqual(reply);
        await cards.answered('click-1');
      }
      expect(await cards.reply('click-1')).toBeUndefined();
      await cards.saveReply({ ...reply, click: 'click-2' });
      await cards.saveReply({ ...reply, click: 'click-3', at: reply.at + 2 * 86_400_000 });
      expect([await cards.reply('click-2'), await cards.reply('click-3')]).toMatchObject([undefined, { click: 'click-3' }]);
    });

    test('finds the newest open group of a likeness', async () => {
      const cards = createCardStore(await open(await newUrl()));
      const group = { groupId: 'g1', likeness: 'same', head: 'q1', questions: ['q1'], begunAt: 1_700_000_000_000, open: true };
      await cards.saveGroup(group);
      await cards.saveGroup({ ...group, questions: ['q1', 'q2'] });
      expect(await cards.group('g1')).toMatchObject({ questions: ['q1', 'q2'] });
      const later = { ...group, groupId: 'g2', begunAt: group.begunAt + 1 };
      await cards.saveGroup(later);
      expect(await cards.openGroup('same')).toEqual(later);
      await cards.saveGroup({ ...later, open: false });
      expect(await cards.openGroup('same')).toMatchObject({ groupId: 'g1' });
      expect(await cards.openGroup('other')).toBeUndefined();
    });

    test('knows what a group’s buttons were shown with, the last hour’s too', async () => {
      const cards = createCardStore(await open(await newUrl()));
      const shown = (buttonId: string, shownAt: number, seen: string) => ({
        buttonId,
        groupId: 'g1',
        choice: 'remove',
        targets: [{ question: 'q1', seen }],
        shownAt,
      });
      const begun = 1_700_000_000_000;
      const [first, second, third] = [shown('a', begun, '1'), shown('b', begun + 1_000, '2'), shown('c', begun + 3_600_500, '3')];
      await cards.saveGroupButtons([first]);
      await cards.saveGroupButtons([second]);
      expect(await cards.groupButtons('g1')).toEqual([second]);
      expect(await cards.groupButton('a')).toEqual(first);
      await cards.saveGroupButtons([third]);
      expect([await cards.groupButton('a'), await cards.groupButton('b')]).toEqual([undefined, second]);
    });
  });
}
