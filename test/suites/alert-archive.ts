import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../core/alert/alert.ts';
import { type AlertArchive, type ArchivedRecord, sealedAt, storedAlerts } from '../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../core/audit/audit.ts';
import { checkChain } from '../../core/audit/audit-check.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { type AlertOnRecord, AlertsOnRecord } from '../../service/simulation/recorded-alerts.ts';
import { alertOf } from '../testing/alert-of.ts';
import { maker, makersTrust, newMaker } from './signed-records.ts';

const box = createBox({ keys: [{ id: 'k', key: randomBytes(32) }] });
const secret = 'psql --password=hunter2';

/** Returns an alert at that minute, as an incident's workflow has it, about a pod with labels and a command line. */
function alertAt(minute: number, name = 'cart'): Alert {
  return alertOf({
    id: `${name}-${minute}`,
    receivedAt: timeAt(minute),
    pod: { namespace: 'shop', name: `${name}-1`, uid: `uid-${name}` },
    process: { name: 'psql', commandLine: secret },
    facts: { labels: { team: 'shop' }, hasAllLabels: true },
  });
}

function timeAt(minute: number): string {
  return new Date(Date.UTC(2026, 2, 1, 10, minute)).toISOString();
}

const chainOf = (name: string): string => `incident/c/shop/Deployment/${name}@run`;

interface Told {
  readonly record: AuditRecord;
  readonly text: string;
}

/** The record as the workflow makes it. */
function told(name: string, number: number, minute: number): Told {
  const alert = alertAt(minute, name);
  const { text, digest } = storedAlerts([alert], `salt of ${name} ${number}`);
  const { id, rule, severity, time, title, sensor, pod } = alert;
  const body = { alerts: [{ id, rule, severity, time, title, sensor, pod }], kept: digest };
  const kind = number === 1 ? 'incident.opened' : 'alert.joined';
  return { record: { chain: chainOf(name), number, at: timeAt(minute), kind, actor: 'sensor/falco', body }, text };
}

/** Tests of the alerts kept next to the records, on any database: `newUrl` returns the address of an empty one. */
export function alertArchiveSuite(newUrl: () => Promise<string>): void {
  const opened: Database[] = [];
  afterEach(async () => {
    for (const database of opened.splice(0)) await database.close();
  });
  const open = async () => {
    const database = await openDatabase({ url: await newUrl() });
    opened.push(database);
    const archive = createAlertArchive(database);
    return { database, store: createAuditStore(database), archive };
  };
  const seal = async (archive: AlertArchive, { record, text }: Told): Promise<void> =>
    archive.keep([{ ...record, sealed: box.seal(Buffer.from(text), sealedAt(record)) }]);
  const alertsIn = (archive: Pick<AlertArchive, 'read' | 'verdicts'>) =>
    new AlertsOnRecord({ archive, open: box.open, cluster: 'c', trust: makersTrust });
  const all = async (alerts: AlertsOnRecord, since = timeAt(0)): Promise<readonly AlertOnRecord[]> => {
    const found: AlertOnRecord[] = [];
    for await (const one of alerts.read({ since })) found.push(one);
    return found;
  };

  describe('alerts that are kept as they were', () => {
    test('come by time out of all incidents, page after page, whole and with what their incident was found to be', async () => {
      const { store, archive } = await open();
      const many = [told('cart', 1, 1), told('cart', 2, 5), told('web', 1, 3), told('web', 2, 4)];
      for (const one of many) {
        await store.append([maker.sign(one.record)]);
        await seal(archive, one);
        await seal(archive, one);
      }
      const body = { verdict: 'benign', incident: 'benign', question: 'q' };
      const verdict = { chain: chainOf('web'), number: 3, at: timeAt(9), kind: 'incident.verdict', actor: 'engine', body };
      await store.append([maker.sign(verdict)]);
      const found = await all(alertsIn(archive));
      expect(found.map(({ alert, verdict: judged, isWhole }) => [alert.id, judged, isWhole])).toEqual([
        ['cart-1', 'unknown', true],
        ['web-3', 'benign', true],
        ['web-4', 'benign', true],
        ['cart-5', 'unknown', true],
      ]);
      expect(found[0]?.alert).toEqual(alertAt(1));
      expect((await all(alertsIn(archive), timeAt(4))).map(({ alert }) => alert.id)).toEqual(['web-4', 'cart-5']);
      const pages: ArchivedRecord[] = [];
      for (let after: ArchivedRecord | undefined; ; after = pages.at(-1)) {
        const page = await archive.read({ since: timeAt(0), chain: chainOf('cart'), ...(after && { after }), most: 1 });
        if (page.length === 0) break;
        pages.push(...page);
      }
      expect(pages.map(({ at }) => at)).toEqual([timeAt(1), timeAt(5)]);
    });

    test('are nowhere to be read in the database, and gone after their time, while the records stay proven', async () => {
      const { database, store, archive } = await open();
      const [old, young] = [told('cart', 1, 1), told('cart', 2, 30)];
      for (const one of [old, young]) {
        await store.append([maker.sign(one.record)]);
        await seal(archive, one);
      }
      for (const table of ['audit_records', 'stored_alerts'])
        expect(JSON.stringify(await database.all(`SELECT * FROM ${table}`))).not.toContain('hunter2');
      await archive.expire(timeAt(10));
      expect(await database.all('SELECT number FROM stored_alerts')).toEqual([{ number: 2 }]);
      const alerts = alertsIn(archive);
      const found = await all(alerts);
      expect(found.map(({ isWhole }) => isWhole)).toEqual([false, true]);
      expect(found[0]?.alert).toMatchObject({ id: 'cart-1', rule: alertOf().rule, pod: { uid: 'uid-cart' } });
      expect(found[0]?.alert.process).toBeUndefined();
      expect(alerts.bare).toBe(1);
      const chain = chainOf('cart');
      const stored = await store.storedChain(chain);
      expect(checkChain({ chain, stored, stated: [], trust: makersTrust }).findings).toEqual([]);
    });

    test('are believed of nobody else: not of who has the key of what is sealed, nor from another record', async () => {
      const { database, store, archive } = await open();
      const [first, second] = [told('cart', 1, 1), told('cart', 2, 2)];
      await store.append([first, second].map(({ record }) => maker.sign(record)));
      // With the key, but without the cell's signature.
      await seal(archive, { record: first.record, text: storedAlerts([alertAt(1, 'victim')], 'salt').text });
      await seal(archive, second);
      await database.all(
        `UPDATE stored_alerts SET sealed = (SELECT sealed FROM stored_alerts WHERE number = 1) WHERE number = 2`,
      );
      expect((await all(alertsIn(archive))).map(({ alert, isWhole }) => [alert.id, isWhole])).toEqual([
        ['cart-1', false],
        ['cart-2', false],
      ]);
      // Nothing counts without the signature; nor does a copy.
      const forged = told('forged', 1, 3);
      await store.append([newMaker().sign(forged.record)]);
      await seal(archive, forged);
      await database.all(`INSERT INTO audit_records SELECT chain, 77, at, kind, actor, body, previous, hash, number, key_id, signature, follows, salt, removed
        FROM (SELECT * FROM audit_records WHERE number = 2) AS copied`);
      const alerts = alertsIn(archive);
      expect((await all(alerts)).map(({ alert }) => alert.id)).toEqual(['cart-1', 'cart-2']);
      expect(alerts.leftOut).toBe(2);
    });
  });
}
