import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../core/audit/audit.ts';
import type { LineMarks, SimilarIncidents } from '../../core/incident/similar.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import { createIncidentIndex } from '../../integrations/database/incident-index.ts';
import type { Database } from '../../integrations/database/queries.ts';

const now = Date.parse('2026-06-01T10:00:00.000Z');
const dayMs = 86_400_000;
const rule = 'Terminal shell in container';

interface Told {
  readonly name: string;
  readonly daysAgo: number;
  readonly image?: string;
  readonly kind?: string;
  readonly rule?: string;
  readonly verdict?: string;
}

function recordsOf({ name, daysAgo, image, kind = 'Deployment', rule: own = rule, verdict }: Told): readonly AuditRecord[] {
  const at = new Date(now - daysAgo * dayMs).toISOString();
  const base = { chain: `incident/prod/shop/${kind}/${name}@run-1`, at, actor: 'engine' };
  const alert = { rule: own, ...(image !== undefined && { image }) };
  return [
    { ...base, number: 1, kind: 'incident.opened', body: { counts: [{ rule: own, count: 1 }], alerts: [alert] } },
    ...(verdict === undefined ? [] : [{ ...base, number: 2, kind: 'incident.closed', body: { verdict } }]),
  ];
}

const key = Buffer.alloc(32, 7);
const marks: LineMarks = {
  of: (content) => createHmac('sha256', key).update(content).digest('base64'),
  isOf: (content, mark) => createHmac('sha256', key).update(content).digest('base64') === mark,
};

/** What the index of incidents guarantees, on any database: `newUrl` returns the address of an empty one. */
export function incidentIndexSuite(newUrl: () => Promise<string>): void {
  const opened: Database[] = [];
  const filled = async (...incidents: readonly Told[]): Promise<SimilarIncidents> => {
    const database = await openDatabase({ url: await newUrl() });
    opened.push(database);
    const index = createIncidentIndex(database, { marks, now: () => now });
    for (const one of incidents) await index.note(recordsOf(one));
    return index;
  };
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  const incident = { id: 'incident/prod/shop/Deployment/cart', run: 'run-9' };

  describe('similar incidents', () => {
    test('are those of the same rule and image, whatever its tag, with their verdicts, the newest first', async () => {
      const index = await filled(
        { name: 'cart', daysAgo: 3, image: 'registry.example.com/cart:1', verdict: 'benign' },
        { name: 'cart-eu', daysAgo: 1, image: 'registry.example.com/cart@sha256:aa', verdict: 'true_positive' },
        { name: 'open', daysAgo: 2, image: 'registry.example.com/cart:2' },
        { name: 'other-image', daysAgo: 1, image: 'registry.example.com/mail:1', verdict: 'benign' },
        { name: 'other-rule', daysAgo: 1, image: 'registry.example.com/cart:1', rule: 'Read sensitive file', verdict: 'benign' },
      );
      expect(await index.similarTo({ incident, rule, image: 'registry.example.com/cart:3' })).toEqual({
        by: 'image',
        days: 90,
        total: 3,
        verdicts: { benign: 1, true_positive: 1, unknown: 1 },
        latest: [
          { id: 'incident/prod/shop/Deployment/cart-eu', run: 'run-1', at: '2026-05-31T10:00:00.000Z', verdict: 'true_positive' },
          { id: 'incident/prod/shop/Deployment/open', run: 'run-1', at: '2026-05-30T10:00:00.000Z', verdict: 'unknown' },
          { id: 'incident/prod/shop/Deployment/cart', run: 'run-1', at: '2026-05-29T10:00:00.000Z', verdict: 'benign' },
        ],
      });
    });

    test('are told by the kind of workload where no image is known, and are not the incident itself', async () => {
      const index = await filled(
        { name: 'cart', daysAgo: 1, verdict: 'benign' },
        { name: 'db', daysAgo: 1, kind: 'StatefulSet', verdict: 'benign' },
      );
      const itself = { id: incident.id, run: 'run-1' };
      expect(await index.similarTo({ incident, rule })).toMatchObject({ by: 'workload kind', total: 1 });
      expect(await index.similarTo({ incident: itself, rule })).toBeUndefined();
    });

    test('end with their 90th day, and are forgotten', async () => {
      const index = await filled(
        { name: 'old', daysAgo: 91, verdict: 'benign' },
        { name: 'young', daysAgo: 89, verdict: 'benign' },
      );
      expect(await index.similarTo({ incident, rule })).toMatchObject({
        total: 1,
        latest: [{ id: 'incident/prod/shop/Deployment/young' }],
      });
      const [database] = opened;
      expect(await database?.all('SELECT chain FROM incident_likeness')).toHaveLength(1);
      expect(await database?.all('SELECT chain FROM incident_verdicts')).toHaveLength(1);
    });

    test('keep the last verdict, though an earlier record comes again, and count an incident once', async () => {
      const index = await filled({ name: 'mail', daysAgo: 1, verdict: 'true_positive' });
      const base = { chain: 'incident/prod/shop/Deployment/mail@run-1', at: '2026-05-31T10:00:00.000Z', actor: 'engine' };
      await index.note([{ ...base, number: 1, kind: 'incident.verdict', body: { verdict: 'benign', incident: 'benign' } }]);
      await index.note(recordsOf({ name: 'mail', daysAgo: 1, verdict: 'true_positive' }));
      expect(await index.similarTo({ incident, rule })).toMatchObject({ total: 1, verdicts: { true_positive: 1 } });
    });

    test('are none that somebody else wrote into the database, nor the verdict of one: what is noted takes their place', async () => {
      const index = await filled(
        { name: 'mail', daysAgo: 2, verdict: 'true_positive' },
        { name: 'shop', daysAgo: 1, verdict: 'true_positive' },
      );
      const [database] = opened;
      const chainOf = (name: string) => `incident/prod/shop/Deployment/${name}@run-1`;
      await database?.all('UPDATE incident_verdicts SET verdict = $1, number = 99 WHERE chain = $2', ['benign', chainOf('mail')]);
      await database?.all(
        `INSERT INTO incident_likeness (chain, likeness, at, mark)
         SELECT $1, likeness, at, mark FROM incident_likeness WHERE chain = $2`,
        [chainOf('invented'), chainOf('mail')],
      );
      const told = { total: 2, verdicts: { unknown: 1, true_positive: 1 } };
      expect(await index.similarTo({ incident, rule })).toMatchObject(told);
      await index.note(recordsOf({ name: 'mail', daysAgo: 2, verdict: 'true_positive' }));
      expect(await index.similarTo({ incident, rule })).toMatchObject({ total: 2, verdicts: { true_positive: 2 } });
    });

    test('are counted up to 200, and a record that is none of an incident, or says nonsense, is passed over', async () => {
      const index = await filled(...Array.from({ length: 205 }, (_, count) => ({ name: `w-${count}`, daysAgo: 1 })));
      await index.note([
        {
          chain: 'desk/prod',
          number: 1,
          at: '2026-05-31T10:00:00.000Z',
          kind: 'incident.opened',
          actor: 'x',
          body: { counts: [{ rule }] },
        },
        {
          chain: 'incident/prod/shop/Job/a@r',
          number: 1,
          at: 'x',
          kind: 'alert.joined',
          actor: 'x',
          body: { counts: 7, alerts: [null, { rule: 3 }] },
        },
      ]);
      const found = await index.similarTo({ incident, rule });
      expect(found).toMatchObject({ total: 200, more: true, verdicts: { unknown: 200 } });
      expect(found?.latest).toHaveLength(3);
    });
  });
}
