import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import type { Notice } from '../../../core/cards/card.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import type { Database } from '../../../integrations/database/queries.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { wouldHaveMessages } from '../../../service/desk/would-have-messages.ts';
import { maker, makersTrust, writeConfiguration } from '../../suites/signed-records.ts';

/** A Monday. */
const monday = Date.parse('2026-11-30T09:00:00Z');
const dayMs = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-would-have-'));
let database: Database;

beforeAll(async () => {
  writeConfiguration(folder);
  database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const store = createAuditStore(database);
  const told = (run: string, at: number, mode: 'observe' | 'ask'): readonly AuditRecord[] => {
    const chain = `incident/c/${mode}/Deployment/web@${run}`;
    const pod = { namespace: mode, name: `web-${run}`, uid: `uid-${run}` };
    const assessment = {
      ...{ response: 'file', pages: false, would: 'contain', wouldPage: false, mode, profile: 'balanced' },
      ...{ scope: 'all', onSilence: 'nothing', reasons: ['critical', 'new for web'] },
    };
    const alerts = [{ id: run, rule: 'A new binary', severity: 'critical', pod, assessment }];
    const common = { chain, at: new Date(at).toISOString() };
    return [{ ...common, number: 1, kind: 'incident.opened', actor: 'sensor/falco', body: { alerts } }] as readonly AuditRecord[];
  };
  await store.append(told('a', monday - dayMs, 'observe').map(maker.sign));
  await store.append(told('b', monday - 3 * dayMs, 'ask').map(maker.sign));
});

afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

function desk(mode: 'observe' | 'ask' | 'contain', shown: Notice[], { isDown = false } = {}) {
  const config = loadConfig({ path: join(folder, 'firebreak.yaml'), env: {} });
  return wouldHaveMessages({
    store: createAuditStore(database),
    trust: makersTrust,
    config: { ...config, response: { ...config.response, mode, scopes: [] } },
    database,
    desk: {
      showNotice: async (notice) => {
        if (isDown) throw new Error('Slack is down');
        shown.push(notice);
      },
    },
    log: { warn: () => undefined },
    now: () => monday,
  });
}

describe('what mode contain would have done, in the channel', () => {
  test('is not posted where mode contain holds everywhere', async () => {
    const shown: Notice[] = [];
    await desk('contain', shown)();
    expect(shown).toEqual([]);
  });

  test('is posted each day in observe and each week, once, by whichever desk is first, also after Slack was down', async () => {
    const shown: Notice[] = [];
    await desk('observe', shown, { isDown: true })();
    expect(shown).toEqual([]);
    await desk('observe', shown)();
    await desk('observe', shown)();
    expect(shown.map(({ key }) => key)).toEqual([
      'would-have/day/2026-11-29..2026-11-29',
      'would-have/week/2026-11-23..2026-11-29',
    ]);
    const [day, week] = shown.map(({ lines }) => lines.join('\n'));
    // Mode ask asks: its incidents are no part of the digest.
    expect(day).toContain('Would have contained 1 pod, and asked 0 questions.');
    expect(day).toContain('observe/web-a: A new binary (critical; new for web)');
    expect(week).toContain('Would have contained 2 pods: 0 right, 0 wrong, 2 not judged.');
    expect(week).toContain('observe (observe): 1 contained, 0 asked. Ready for mode ask: at most 1 question a day');
    expect(week).toContain('ask (ask): 1 contained, 0 asked. Not yet: people judged 0 containments right: 3 are needed');
    expect(shown[1]?.table.join('\n')).toContain("namespaces: ['observe'], mode: ask");
  });
});
