import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../core/audit/audit.ts';
import { chainOf, incidentKeyOf } from '../../core/console/incident-summary.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createIncidentList, type IncidentList } from '../../integrations/database/incident-list.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { maker } from './signed-records.ts';

/** One record of an incident; the first one opens it. */
function recordOf(
  namespace: string,
  name: string,
  number: number,
  kind: string,
  body: AuditRecord['body'],
  day = 1,
): AuditRecord {
  const chain = `incident/c/${namespace}/Deployment/${name}@run-1`;
  return { chain, number, at: `2026-03-0${day}T10:00:00.000Z`, kind, actor: 'sensor/falco', body };
}

function opened(namespace: string, name: string, severity: string, day = 1): AuditRecord {
  const counts = [{ rule: `Rule 100%_of ${name}`, severity, pod: `${namespace}/${name}-1`, count: 2 }];
  return recordOf(namespace, name, 1, 'incident.opened', { text: '', counts, alerts: [] }, day);
}

/** Tests of the console's list, which must hold on both databases. */
export function incidentListSuite(nextUrl: () => Promise<string>): void {
  describe('the list of incidents', () => {
    let database: Database;
    let list: IncidentList;
    beforeEach(async () => {
      database = await openDatabase({ url: await nextUrl() });
      const store = createAuditStore(database);
      list = createIncidentList(database, {
        marks: { of: (content) => `mark of ${content}`, isOf: (content, mark) => mark === `mark of ${content}` },
        records: async (chain) => (await store.storedChain(chain)).records.flatMap(({ signed }) => signed?.record ?? []),
      });
      const first = [
        opened('shop', 'cart', 'critical', 1),
        opened('shop', 'till', 'low', 2),
        opened('bank', 'vault', 'critical', 3),
      ];
      for (const record of first) await store.append([maker.sign(record)]);
      await list.note(first.slice(0, 2));
    });
    afterEach(() => database.close());

    const titles = async (query: Partial<Parameters<IncidentList['page']>[0]>, visible: readonly string[] | 'all' = 'all') =>
      (await list.page({ limit: 50, ...query }, visible)).items.map(({ incident }) => incident.id.split('/').at(-1));

    test('is brought up to date from the records, once', async () => {
      expect(await titles({})).toEqual(['till', 'cart']);
      expect(await list.catchUp()).toBe(1);
      expect(await titles({})).toEqual(['vault', 'till', 'cart']);
      expect(await list.catchUp()).toBe(0);
    });

    test('tells what the worst alert says happened, also once a worse one has joined', async () => {
      const joined = (number: number, severity: string, what: string): AuditRecord => {
        const counts = [{ rule: 'Rule', severity, count: 1 }];
        return recordOf('pay', 'ledger', number, 'alert.joined', { text: '', counts, alerts: [{ severity, what }] });
      };
      const told = async (record: AuditRecord): Promise<string | undefined> => {
        await list.note([record]);
        return (await list.page({ limit: 50 }, ['pay'])).items[0]?.what;
      };
      expect(await told(opened('pay', 'ledger', 'low'))).toBeUndefined();
      expect(await told(joined(2, 'low', 'Shell sh opened in pay/ledger'))).toBe('Shell sh opened in pay/ledger');
      expect(await told(joined(3, 'critical', 'New binary x ran in pay/ledger'))).toBe('New binary x ran in pay/ledger');
      expect(await told(joined(4, 'high', 'curl ran in pay/ledger: Other'))).toBe('New binary x ran in pay/ledger');
    });

    test('is counted by cluster and by day, however many there are, for whom it is', async () => {
      await list.catchUp();
      const ofAll = await list.counts('2026-03-02T00:00:00.000Z', 'all');
      expect(ofAll.clusters).toEqual([{ cluster: 'c', open: 3, critical: 2, contained: 0 }]);
      expect([...ofAll.days].sort()).toEqual([
        ['2026-03-02', 1],
        ['2026-03-03', 1],
      ]);
      expect((await list.counts('2026-03-01T00:00:00.000Z', ['bank'])).clusters).toEqual([
        { cluster: 'c', open: 1, critical: 1, contained: 0 },
      ]);
      expect((await list.counts('2026-03-01T00:00:00.000Z', [])).clusters).toEqual([]);
    });

    test('is filtered, searched by what is written and no pattern, and seen by whom it is for', async () => {
      await list.catchUp();
      expect(await titles({ severity: ['critical'] })).toEqual(['vault', 'cart']);
      expect(await titles({ severity: ['critical'] }, ['shop'])).toEqual(['cart']);
      expect(await titles({ text: '100%_OF till' })).toEqual(['till']);
      expect(await titles({ text: '100__of' })).toEqual([]);
      expect(await titles({ from: '2026-03-02T00:00:00.000Z', until: '2026-03-03T00:00:00.000Z' })).toEqual(['till']);
      expect(await titles({ namespace: ['bank'] }, ['shop'])).toEqual([]);
      expect(await titles({}, [])).toEqual([]);
    });

    test('goes on after its last line, each once', async () => {
      await list.catchUp();
      const first = await list.page({ limit: 2 }, 'all');
      const second = await list.page({ limit: 2, ...(first.next !== null && { cursor: first.next }) }, 'all');
      expect([...first.items, ...second.items].map(({ incident }) => incident.id.split('/').at(-1))).toEqual([
        'vault',
        'till',
        'cart',
      ]);
      expect(second.next).toBeNull();
    });

    test('takes further records in once, and says what has changed since', async () => {
      const before = new Date(Date.now() - 1).toISOString();
      const plan = { effect: 'reversible', target: { name: 'pod/shop/cart-1' } };
      const step = recordOf('shop', 'cart', 2, 'step.applied', { text: '', step: 's1', plan });
      await list.note([step]);
      await list.note([step]);
      const key = incidentKeyOf('incident/c/shop/Deployment/cart@run-1');
      expect(await list.find(key, 'all')).toMatchObject({ seen: 2, begun: ['s1'], reached: 'contained', alerts: 2 });
      expect(await list.find(key, ['bank'])).toBeUndefined();
      expect((await list.contained('all', 10)).map(({ incident }) => chainOf(incident))).toEqual([step.chain]);
      expect((await list.changedSince({ at: before }, 10)).items.map(({ summary }) => summary.seen)).toContain(2);
    });
  });
}
