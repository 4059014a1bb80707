import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import type { StoredRecord } from '../../../../core/audit/audit-store.ts';
import type { ControlState } from '../../../../core/decide/control.ts';
import { loadConfig } from '../../../../service/config/load.ts';
import { ConsoleResponses } from '../../../../service/desk/console/response.ts';
import { maker, makersTrust, newMaker } from '../../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-response-'));
const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  `cluster: c
intake: { tokens: [{ name: falco, token: { env: TOKEN } }] }
roster: { people: [{ id: ana, name: Ana }], groups: { oncall: [ana], leads: [ana] } }
response:
  mode: observe
  onSilence: nothing
  scopes:
    - { name: banks, namespaces: ['bank-*'], mode: ask, profile: strict }
    - { name: shops, namespaces: [shop], mode: contain }
    - { workloadLabels: { guard: strict }, mode: contain }
`,
);
const config = loadConfig({ path, env: {} });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const now = Date.parse('2026-12-01T03:00:00Z');
const critical = 'Detect release_agent File Container Escapes';

function responses({
  control = async () => undefined,
  records = [],
}: {
  readonly control?: (cluster: string) => Promise<ControlState | undefined>;
  readonly records?: readonly StoredRecord[];
} = {}) {
  async function* pages() {
    yield [...records];
  }
  return new ConsoleResponses({ config, store: { eachOfKinds: pages }, trust: makersTrust, control, now: () => now });
}

describe('modes and scopes', () => {
  test('come in the order in which they match, with what each sets and what it takes from the rest', () => {
    const shown = responses().shown('all');
    expect(shown).toMatchObject({ cluster: 'c', mode: 'observe', profile: 'balanced', onSilence: 'nothing', hidden: 0 });
    expect(shown.scopes).toMatchObject([
      // Only mode contain does anything on silence.
      { place: 1, name: 'banks', asks: 'namespace bank-*', mode: 'ask', profile: 'strict', onSilence: 'nothing' },
      { place: 2, name: 'shops', mode: 'contain', profile: 'balanced', onSilence: 'nothing', onlyStronger: false },
      { place: 3, name: null, asks: 'workload label guard=strict', mode: 'contain', onlyStronger: true },
    ]);
  });

  test('for namespaces that a tenant does not see are only counted', () => {
    const shown = responses().shown(['shop']);
    expect(shown.scopes.map(({ place }) => place)).toEqual([2, 3]);
    expect(shown.hidden).toBe(1);
    expect(shown.protectedNamespaces).toEqual([]);
    expect(JSON.stringify(shown)).not.toContain('bank');
  });
});

describe('what would happen now', () => {
  test('is what the engine says for the scope of the namespace', async () => {
    const shop = await responses().explained({ namespace: 'shop', rule: critical }, 'all');
    expect(shop).toMatchObject({ policy: { mode: 'contain', scope: 'scope shops' } });
    expect(shop.cases[0]).toMatchObject({ response: 'contain', effect: expect.stringContaining('the pod is cut off at once') });
    const bank = await responses().explained({ namespace: 'bank-1', rule: critical }, 'all');
    expect(bank.cases[0]).toMatchObject({
      response: 'ask',
      effect: expect.stringContaining('Would have contained the pod: mode ask asks people first (scope banks)'),
    });
  });

  test('is not said of a namespace that the reader does not see', async () => {
    await expect(responses().explained({ namespace: 'bank-1', rule: critical }, ['shop'])).rejects.toMatchObject({
      code: 'FB_ERR_NOT_FOUND',
    });
  });

  test('counts in what people have frozen, and says so if the cell does not answer', async () => {
    const terms = {
      ...{ id: 'f-1', mode: 'freeze', scope: { kind: 'namespace', name: 'shop' }, owner: 'ana', reason: 'the migration' },
      ...{ from: '2026-12-01T00:00:00.000Z', until: '2026-12-01T06:00:00.000Z' },
    };
    const decisions = [{ status: { state: 'active' }, proposal: { order: { kind: 'restraint.propose', terms } } }];
    const control = async () => ({ decisions }) as unknown as ControlState;
    const frozen = await responses({ control }).explained({ namespace: 'shop', rule: critical }, 'all');
    expect(frozen.cases[0]?.effect).toMatch(/the pod is not cut off: .*the migration/);
    const silent = await responses().explained({ namespace: 'shop', rule: critical }, 'all');
    expect(silent.cases[0]?.effect).toContain('the pod is cut off at once');
    expect(silent.limits.join('\n')).toContain('firebreak restraints list');
  });

  test('names the nearest rules for one that nobody has, and what to do', async () => {
    await expect(responses().explained({ namespace: 'shop', rule: 'Terminal shell' }, 'all')).rejects.toMatchObject({
      code: 'FB_ERR_UNKNOWN_ID',
      detail: expect.stringContaining('did you mean “Terminal shell in container”'),
    });
  });
});

test('what mode contain would have done is shown to whoever sees the namespace, from proven records', async () => {
  const stored = (namespace: string, by = maker): StoredRecord => {
    const chain = `incident/c/${namespace}/Deployment/web@run`;
    const pod = { namespace, name: 'web-1', uid: `uid-${namespace}` };
    const assessment = {
      ...{ response: 'ask', pages: true, would: 'contain', wouldPage: false, mode: 'ask', profile: 'balanced' },
      ...{ scope: 'all', onSilence: 'nothing', reasons: ['critical'] },
    };
    const body = { alerts: [{ id: namespace, rule: critical, severity: 'critical', pod, assessment }] };
    const at = new Date(now - 3_600_000).toISOString();
    const record = { chain, number: 1, at, kind: 'incident.opened', actor: 'sensor/falco', body } as unknown as AuditRecord;
    return { chain, place: 1, previous: '', hash: '', signed: by.sign(record) };
  };
  const one = responses({ records: [stored('shop'), stored('bank'), stored('forged', newMaker())] });
  const all = await one.wouldHave(7, 'all');
  expect(all.rows.map(({ namespace, contain }) => [namespace, contain]).sort()).toEqual([
    ['bank', 1],
    ['shop', 1],
  ]);
  expect(all.leftOut).toBe(1);
  const shop = await one.wouldHave(7, ['shop']);
  expect(shop.decisions).toMatchObject([{ namespace: 'shop', pod: 'web-1', would: 'contain', judged: 'open' }]);
  expect(JSON.stringify(shop)).not.toContain('bank');
});
