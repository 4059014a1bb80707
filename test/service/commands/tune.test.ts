import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { AuditRecord, SignedRecord } from '../../../core/audit/audit.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { type TuneReport, tune } from '../../../core/playbook/tune.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { incidentChains, type tuneReport } from '../../../service/commands/records/tune.ts';
import { firebreakHere } from '../../command-line.ts';
import { headsIn } from '../../suites/audit-store.ts';
import { ReachableObjects } from '../../suites/reachable-objects.ts';
import { maker, makersTrust, newMaker, writeConfiguration } from '../../suites/signed-records.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-tune-'));
const url = `sqlite:${join(folder, 'audit.db')}`;
const image = (letter: string) => `sha256:${letter.repeat(64)}`;
let runs = 0;

interface Told {
  readonly name: string;
  readonly verdict?: string;
  /** The verdict rests on nobody's answer. */
  readonly unasked?: true;
  readonly counts: readonly (readonly [rule: string, severity: string, count: number])[];
  readonly digest?: string;
  readonly at?: string;
  readonly unanswered?: readonly (readonly [rule: string, severity: string])[];
}

/** The records of an incident, as its workflow writes them. */
function incidentOf({
  name,
  verdict,
  unasked,
  counts,
  digest,
  at = new Date().toISOString(),
  unanswered = [],
}: Told): readonly AuditRecord[] {
  const asked = verdict === 'benign' && !unasked ? { question: 'q-1' } : {};
  runs += 1;
  const chain = `incident/lab/shop/Deployment/${name}@run-${runs}`;
  const bodies: readonly (readonly [string, Record<string, unknown>])[] = [
    [
      'incident.opened',
      {
        text: '',
        counts: counts.map(([rule, severity, count]) => ({ rule, severity, count, firstSeen: at, lastSeen: at })),
        alerts: counts.map(([rule, severity], index) => ({
          id: `${runs}-${index}`,
          rule,
          severity,
          time: at,
          title: `${rule} in ${name}`,
          sensor: 'falco',
          workload: { kind: 'Deployment', namespace: 'shop', name },
          ...(digest !== undefined && { digest }),
        })),
      },
    ],
    ['playbook.started', { text: '', rule: counts[0]?.[0] }],
    ...unanswered.map(([rule, severity]) => ['playbook.started', { text: '', rule, severity, unanswered: true }] as const),
    ...(verdict === undefined ? [] : [['incident.verdict', { text: '', verdict, incident: verdict, ...asked }] as const]),
  ];
  return bodies.map(([kind, body], index) => ({ chain, number: index + 1, at, kind, actor: 'engine', body }));
}

const old = new Date(Date.now() - 90 * 86_400_000).toISOString();
const told: readonly Told[] = [
  // Harmless each time, from one image: proposes a suppression of exactly that.
  { name: 'debug', verdict: 'benign', counts: [['Shell', 'low', 400]], digest: image('a') },
  { name: 'debug', verdict: 'benign', counts: [['Shell', 'medium', 100]], digest: image('a') },
  { name: 'debug', counts: [['Shell', 'low', 7]], digest: image('a') },
  // The same rule elsewhere was an attack.
  { name: 'cart', verdict: 'true_positive', counts: [['Shell', 'low', 3]], digest: image('b'), unanswered: [['Escape', 'high']] },
  // Harmless twice, and once not: proposes nothing.
  { name: 'web', verdict: 'benign', counts: [['Read', 'high', 50]], digest: image('c') },
  { name: 'web', verdict: 'benign', counts: [['Read', 'high', 50]], digest: image('c') },
  { name: 'web', verdict: 'suspicious', counts: [['Read', 'high', 1]], digest: image('c') },
  // Nobody has judged it.
  { name: 'loud', counts: [['Noise', 'info', 9_000]], digest: image('d'), unanswered: [['Escape', 'critical']] },
  // Harmless, but no image is known: a matter for the playbook.
  { name: 'host', verdict: 'benign', counts: [['Mount', 'medium', 20]] },
  { name: 'host', verdict: 'benign', counts: [['Mount', 'medium', 22]] },
  // A playbook’s own verdict, without anybody’s answer: proposes nothing.
  { name: 'sure', verdict: 'benign', unasked: true, counts: [['Guess', 'low', 30]], digest: image('f') },
  { name: 'sure', verdict: 'benign', unasked: true, counts: [['Guess', 'low', 30]], digest: image('f') },
  // Long ago.
  { name: 'ancient', verdict: 'benign', counts: [['Old', 'low', 1_000_000]], digest: image('e'), at: old },
];

const madeUp: readonly Told[] = [
  { name: 'lie', verdict: 'benign', counts: [['Escape', 'critical', 50_000]], digest: image('9') },
  { name: 'lie', verdict: 'benign', counts: [['Escape', 'critical', 50_000]], digest: image('9') },
];

async function firebreak(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await firebreakHere(args, { folder });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

let report: Awaited<ReturnType<typeof tuneReport>>;
let before: number;

async function recordsInStore(): Promise<number> {
  const database = await openDatabase({ url });
  const heads = await headsIn(createAuditStore(database));
  await database.close();
  return heads.reduce((sum, { number }) => sum + number, 0);
}

beforeAll(async () => {
  writeConfiguration(folder);
  const database = await openDatabase({ url });
  const store = createAuditStore(database);
  for (const one of told) await store.append(incidentOf(one).map(maker.sign));
  const refused = { chain: 'desk/lab', number: 1, at: old, kind: 'click.refused', actor: 'slack/U1', body: {} };
  await store.append([maker.sign(refused)]);
  // Written by somebody with the database's password: incidents of their own, and a claim that one of ours was harmless.
  for (const one of madeUp) await store.append(incidentOf(one).map(newMaker().sign));
  const chain = (await store.chains([''])).find((name) => name.includes('/loud@')) ?? '';
  const lie = { chain, number: 9, at: new Date().toISOString(), kind: 'incident.verdict', actor: 'engine' };
  await store.append([newMaker().sign({ ...lie, body: { text: '', verdict: 'benign', incident: 'benign', question: 'q-1' } })]);
  await database.close();
  before = await recordsInStore();
  report = JSON.parse(await firebreak('tune', '--json'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('firebreak tune', () => {
  test('uses only records that a cell has signed, and says how many it leaves out', async () => {
    expect(report.rules.map(({ name }) => name)).not.toContain('Escape');
    expect(report.rules.find(({ name }) => name === 'Noise')).toMatchObject({ benign: 0 });
    expect(report.leftOut).toBe(2 * 3 + 1);
    expect(await firebreak('tune')).toContain('7 records are left out');
  });

  test('counts exactly, lists the noisiest first, and leaves out old records', () => {
    expect(report).toMatchObject({ incidents: 12, alerts: 400 + 100 + 7 + 3 + 101 + 9_000 + 42 + 60 });
    expect(report.rules.map(({ name, alerts }) => [name, alerts])).toEqual([
      ['Noise', 9_000],
      ['Shell', 510],
      ['Read', 101],
      ['Guess', 60],
      ['Mount', 42],
    ]);
    expect(report.workloads[0]).toMatchObject({ name: 'deployment/shop/loud', alerts: 9_000, incidents: 1 });
  });

  test('bases the false-positive rate on judged incidents', () => {
    const rates = Object.fromEntries(report.rules.map(({ name, falsePositiveRate }) => [name, falsePositiveRate]));
    expect(rates).toEqual({ Noise: null, Shell: 2 / 3, Read: 2 / 3, Guess: null, Mount: 1 });
  });

  test('proposes to hide only what was always harmless, with what each proposal would have hidden', () => {
    expect(report.proposals.map(({ kind, rule }) => [kind, rule])).toEqual([
      ['suppression', 'Shell'],
      ['playbook-condition', 'Mount'],
    ]);
    expect(report.proposals[0]).toMatchObject({
      workload: { namespace: 'shop', ownerKind: 'Deployment', name: 'debug' },
      digest: image('a'),
      upTo: 'medium',
      wouldHaveHidden: { alerts: 507, atLeast: false },
    });
    expect(report.proposals[0]?.wouldHaveHidden.samples.map(({ title }) => title)).toEqual(Array(3).fill('Shell in debug'));
    expect(report.proposals[1]).toMatchObject({ workloads: ['deployment/shop/host'], wouldHaveHidden: { alerts: 42 } });
  });

  test('tries each proposal on the alerts on record, and counts the harmless and other ones it would have matched', async () => {
    const tried = { alerts: 3, benign: 2, true_positive: 0, suspicious: 0, unknown: 1, undecided: 0 };
    expect(report.proposals.map(({ backtest }) => backtest)).toEqual([tried, { ...tried, alerts: 2, unknown: 0 }]);
    expect(report.proposals[1]?.match).toEqual({
      rule: 'Mount',
      severity: ['medium', 'low', 'info', 'unknown'],
      any: [{ namespace: 'shop', workload: { kind: 'Deployment', name: 'host' } }],
    });
    const text = await firebreak('tune');
    expect(text).toContain('of the alerts on record 3: 2 harmless, 0 not, 1 not judged');
    expect(text).toContain('on.match: {"not":{"rule":"Mount"');
  });

  test('lists the rules that have no playbook', async () => {
    expect(report.unanswered).toEqual([{ rule: 'Escape', upTo: 'critical', incidents: 2, benign: 0, bad: 1 }]);
    expect(await firebreak('tune')).toContain('“Escape” (critical at worst): 2 incidents, 0 harmless, 1 not');
  });

  test('requires more incidents with --min-benign, and looks further back with --days', async () => {
    const strict: TuneReport = JSON.parse(await firebreak('tune', '--json', '--min-benign', '3'));
    expect(strict.proposals).toEqual([]);
    const long: TuneReport = JSON.parse(await firebreak('tune', '--json', '--days', '120'));
    expect(long.incidents).toBe(13);
  });

  test('holds at most two pages of records in memory, however many incidents there are', async () => {
    const held = new ReachableObjects();
    const trust: Trust = {
      senderOf: (signed) => makersTrust.senderOf(signed) && { role: 'cell', keyId: signed.keyId, cluster: 'lab' },
    };
    let most = 0;
    async function* proofsOf() {
      for (let page = 0; page < 6; page += 1) {
        const incidents = Array.from({ length: 3 }, () =>
          incidentOf({ name: 'debug', verdict: 'benign', counts: [['Shell', 'low', 2]], digest: image('a') }),
        );
        const rows = incidents.flat().map((record) => {
          const signed = maker.sign(record);
          held.watch(signed.record.body);
          return { chain: record.chain, place: record.number, previous: '', hash: '', signed };
        });
        yield rows.splice(0);
        most = Math.max(most, await held.count());
      }
    }
    const store = { chainsWith: async () => [], proofsOf };
    const chains = incidentChains({ store, cluster: 'lab', since: old, trust, leave: () => undefined });
    const { incidents, alerts, proposals } = await tune({ chains, minBenign: 2, top: 5 });
    expect({ incidents, alerts, benign: proposals[0]?.why }).toEqual({
      incidents: 18,
      alerts: 36,
      benign: '18 of 18 incidents were benign, and none was anything else',
    });
    expect(most).toBeLessThanOrEqual(18);
    expect(await held.count()).toBe(0);
  });

  test('keeps no foreign records of an incident in memory, however many there are, and counts a copy once', async () => {
    const held = new ReachableObjects();
    const trust: Trust = {
      senderOf: (signed) => makersTrust.senderOf(signed) && { role: 'cell', keyId: signed.keyId, cluster: 'lab' },
    };
    const stranger = newMaker();
    const [opened] = incidentOf({ name: 'debug', counts: [['Shell', 'low', 2]] });
    if (!opened) throw new Error('nothing was made');
    const rowOf = (signed: SignedRecord, place: number) => ({ chain: opened.chain, place, previous: '', hash: '', signed });
    let most = 0;
    async function* proofsOf() {
      if (!opened) return;
      yield [rowOf(maker.sign(opened), 1)];
      for (let page = 0; page < 6; page += 1) {
        const forged = Array.from({ length: 10 }, (_, nth) => stranger.sign({ ...opened, number: 10 * page + nth + 2 }));
        for (const { record } of forged) held.watch(record.body);
        yield forged.splice(0).map((signed, nth) => rowOf(signed, 10 * page + nth + 2));
        most = Math.max(most, await held.count());
      }
      yield [rowOf(maker.sign(opened), 62)];
    }
    let leftOut = 0;
    const leave = (rows: number): void => {
      leftOut += rows;
    };
    const store = { chainsWith: async () => [], proofsOf };
    const chains = incidentChains({ store, cluster: 'lab', since: old, trust, leave });
    expect(await tune({ chains, minBenign: 2, top: 5 })).toMatchObject({ incidents: 1, alerts: 2 });
    expect(leftOut).toBe(61);
    expect(most).toBeLessThanOrEqual(20);
  });

  test('checks one signature of an incident whose records are chained, even with others in between', async () => {
    let checks = 0;
    const trust: Trust = {
      senderOf: (signed) => {
        checks += 1;
        return makersTrust.senderOf(signed) && { role: 'cell', keyId: signed.keyId, cluster: 'lab' };
      },
    };
    const [opened] = incidentOf({ name: 'debug', counts: [['Shell', 'low', 1]] });
    if (!opened) throw new Error('nothing was made');
    let last: SignedRecord | undefined;
    const rows = Array.from({ length: 20 }, (_, index) => {
      const kind = index === 0 ? opened.kind : index % 2 === 0 ? 'alert.joined' : 'lease.renewed';
      const record = { ...opened, number: index + 1, kind };
      const signed: SignedRecord = last ? maker.signAfter(record, last) : maker.sign(record);
      last = signed;
      return { chain: opened.chain, place: index + 1, signed };
    });
    async function* proofsOf() {
      yield rows;
    }
    const store = { chainsWith: async () => [], proofsOf };
    const incidents: (readonly AuditRecord[])[] = [];
    const leave = (left: number): void => expect(left).toBe(0);
    for await (const one of incidentChains({ store, cluster: 'lab', since: old, trust, leave })) incidents.push(one);
    expect(incidents.map((one) => one.map(({ number }) => number))).toEqual([[1, 3, 5, 7, 9, 11, 13, 15, 17, 19]]);
    expect(checks).toBe(1);
  });

  test('prints tables and the command for each proposal, and changes nothing', async () => {
    const text = await firebreak('tune');
    expect(text).toContain('FALSE POSITIVES');
    expect(text).toContain(
      `firebreak suppress add --rule 'Shell' --workload 'shop/Deployment/debug' --digest '${image('a')}' --up-to medium`,
    );
    expect(text).toContain('would have hidden 507 alerts');
    expect(await recordsInStore()).toBe(before);
  });
});
