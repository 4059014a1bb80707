import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { createDeskMetrics } from '../../../service/desk/desk-metrics.ts';
import { firebreakHere } from '../../command-line.ts';
import { recordsOf } from '../../core/decision-records.ts';
import { maker, makersTrust, newMaker, writeConfiguration } from '../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-report-'));
const now = Date.now();
const dayMs = 86_400_000;
const records = recordsOf([
  { id: 'a', at: now - dayMs, votes: [{ person: 'ana', choice: 'remove', after: 3 }], end: 'decided' },
  { id: 'b', at: now - 20 * dayMs, end: 'expired' },
  { id: 'c', at: now - 50 * dayMs, end: 'expired' },
]);
/** Written by somebody with the database's password: nobody was ever asked these. */
const madeUp = recordsOf([{ id: 'd', at: now - dayMs, votes: [{ person: 'ana', choice: 'remove', after: 1 }], end: 'decided' }]);
const stranger = newMaker();
let database: Database;

async function firebreak(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await firebreakHere([...args, '--config', 'firebreak.yaml'], {
    folder,
    env: { NO_COLOR: '1' },
  });
  if (status === 0) return stdout;
  throw Object.assign(new Error(stderr), { stderr });
}

beforeAll(async () => {
  writeConfiguration(folder);
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const store = createAuditStore(database);
  const chains = Map.groupBy<string, AuditRecord>(records, ({ chain }) => chain);
  for (const chain of chains.values()) await store.append(chain.map(maker.sign));
  for (const chain of Map.groupBy<string, AuditRecord>(madeUp, ({ chain }) => chain).values())
    await store.append(chain.map(stranger.sign));
});

afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('firebreak report decisions', () => {
  test('covers the last 30 days, or the requested period', async () => {
    const shown = await firebreak('report', 'decisions');
    expect(shown).toMatch(/ASKED +DECIDED +SILENCE/);
    expect(shown).toMatch(/2 +1 +1 +0 +0 +3 s +3 s +1 +all/);
    expect(shown).toMatch(/2 +1 +1 +2 +1 +1 +ana/);
    expect(shown).toContain(`${madeUp.length} records are left out`);
    const report = JSON.parse(await firebreak('report', 'decisions', '--since', '8w', '--json'));
    expect(report).toMatchObject({ all: { asked: 3, expired: 2, quickApprovals: 1 }, people: [{ person: 'ana', shifts: 3 }] });
    expect(report.leftOut).toBe(madeUp.length);
  });

  test('counts what a cell signed with an earlier key, if that is given', async () => {
    writeFileSync(join(folder, 'before.pem'), stranger.publicKey);
    const retired = ['--retired-key', `cell/lab=${join(folder, 'before.pem')}`];
    const report = JSON.parse(await firebreak('report', 'decisions', '--json', ...retired));
    expect(report).toMatchObject({ all: { asked: 3 }, leftOut: 0 });
  });

  test('accepts only a valid period', async () => {
    await expect(firebreak('report', 'decisions', '--since', 'yesterday')).rejects.toMatchObject({
      stderr: expect.stringContaining('Expected hours, days or weeks'),
    });
  });
});

describe('firebreak report would-have', () => {
  test('says what would have been contained, from records that are proven', async () => {
    const store = createAuditStore(database);
    const at = new Date(now - dayMs).toISOString();
    const pod = { namespace: 'shop', name: 'web-1', uid: 'uid-1' };
    const assessment = {
      ...{ response: 'ask', pages: true, would: 'contain', wouldPage: false, mode: 'ask', profile: 'balanced' },
      ...{ scope: 'scope shops', onSilence: 'nothing', reasons: ['critical; the rule is sure'] },
    };
    const alerts = [{ id: 'a', rule: 'A new binary', severity: 'critical', pod, assessment }];
    const told = (run: string) => [
      {
        ...{ chain: `incident/lab/shop/Deployment/web@${run}`, number: 1, at, actor: 'sensor/falco' },
        kind: 'incident.opened',
        body: { alerts },
      },
    ];
    await store.append(told('run-1').map(maker.sign));
    await store.append(told('run-2').map(stranger.sign));
    const report = JSON.parse(await firebreak('report', 'would-have', '--json'));
    expect(report).toMatchObject({
      rows: [{ namespace: 'shop', mode: 'ask', contain: 1, open: 1, advice: { next: null } }],
      decisions: [{ pod: 'web-1', would: 'contain', judged: 'open', reasons: ['critical; the rule is sure'] }],
      snippet: null,
      leftOut: 2,
    });
    const shown = await firebreak('report', 'would-have');
    expect(shown).toMatch(/CONTAIN +RIGHT +WRONG/);
    expect(shown).toContain('would have contained shop/web-1: A new binary (not judged)');
  });
});

describe('firebreak report compliance', () => {
  const compliance = (period: string): Promise<string> =>
    firebreak('report', 'compliance', '--framework', 'soc-2', '--period', period);

  test('states the last day of its period, and counts proven records', async () => {
    expect(await compliance('2026-01-01..2026-01-31')).toContain('2026-01-01 to 2026-01-31; 0 records');
    const begun = new Date(now - dayMs).getUTCFullYear();
    expect(await compliance(String(begun))).toMatch(new RegExp(`lab, ${begun}-01-01 to ${begun}-.*; [1-9]\\d* records`));
  });

  test.each([
    ['none/report.html', /FB_ERR_INCOMPLETE.*none\/report\.html cannot be written: there is no such folder\n/],
    ['firebreak.yaml/report.html', /FB_ERR_INCOMPLETE.*cannot be written: part of the path is not a folder\n/],
    ['firebreak.yaml', /FB_ERR_REFUSED.*firebreak\.yaml already exists: choose another name\n/],
  ])('says why %s was not written', async (out, said) => {
    const asked = ['--framework', 'soc-2', '--period', '2026-01', '--format', 'html', '--out', join(folder, out)];
    await expect(firebreak('report', 'compliance', ...asked)).rejects.toMatchObject({ stderr: expect.stringMatching(said) });
  });

  test('does not claim that nothing happened in a period that has not begun', async () => {
    await expect(compliance(String(new Date(now).getUTCFullYear() + 1))).rejects.toMatchObject({
      stderr: expect.stringContaining('The period has not begun'),
    });
  });
});

describe('the metrics of the desk', () => {
  test('cover the last seven days, and read the records at most once a minute', async () => {
    const store = createAuditStore(database);
    let reads = 0;
    let at = now;
    const roster = { people: [{ id: 'ana', name: 'Ana', slackIds: [], keys: [] }], groups: { oncall: ['ana'] } };
    const counting: typeof store = {
      ...store,
      eachOfKinds: (asked) => {
        reads += 1;
        return store.eachOfKinds(asked);
      },
    };
    const trust: Trust = {
      senderOf: (signed) => makersTrust.senderOf(signed) && { role: 'cell', keyId: signed.keyId, cluster: 'lab' },
    };
    const metrics = createDeskMetrics({ store: counting, trust, roster, now: () => at });
    const text = await metrics.text();
    await metrics.text();
    expect(reads).toBe(1);
    expect(text).toContain('firebreak_questions{playbook="contain",outcome="decided"} 1');
    expect(text).toContain('firebreak_questions{playbook="contain",outcome="expired"} 0');
    expect(text).toContain('firebreak_answer_seconds{playbook="contain",quantile="0.9"} 3');
    expect(text).toContain('firebreak_quick_approvals{playbook="contain"} 1');
    expect(text).toContain('firebreak_questions_in_a_shift{person="ana"} 1');
    expect(text).toContain(`firebreak_records_left_out ${madeUp.length}`);
    expect(text).toContain('firebreak_audit_findings_total{kind="record-forged"} 0');
    metrics.found('record-forged');
    at = now + 8 * dayMs;
    expect(await metrics.text()).not.toContain('playbook="contain"');
    expect(reads).toBe(2);
    // Reading the numbers again does not undo what was counted.
    expect(await metrics.text()).toContain('firebreak_audit_findings_total{kind="record-forged"} 1');
  });
});
