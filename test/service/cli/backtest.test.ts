import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sealedAt, storedAlerts } from '../../../core/audit/alert-archive.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { firebreakHere } from '../../command-line.ts';
import { maker, newMaker, writeConfiguration } from '../../suites/signed-records.ts';
import { alertOf } from '../../testing/alert-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-backtest-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (args: readonly string[], input = '') => firebreakHere(args, { folder, input });
const firebreak = (args: readonly string[], input?: string) => run(['backtest', ...args], input);

/** The stored alerts of each. */
const kept: { readonly record: AuditRecord; readonly text: string }[] = [];

/** As an incident's workflow writes them. */
function recordsOf(name: string, verdict: string, at: string): readonly AuditRecord[] {
  const chain = `incident/lab/shop/Deployment/${name}@run`;
  const { id, rule, severity, time, title, sensor } = alertOf();
  const pod = { namespace: 'shop', name: `${name}-1`, uid: `uid-${name}` };
  const workload = { kind: 'Deployment', namespace: 'shop', name };
  const alerts = [{ id, rule, severity, time, title, sensor, pod, workload }];
  const { text, digest } = storedAlerts(
    [alertOf({ pod, workload, process: { name: 'xmrig' }, facts: { labels: { team: 'shop' }, hasAllLabels: true } })],
    'salt',
  );
  const bodies = [
    ['incident.opened', { text: '', counts: [], alerts, kept: digest }],
    ['incident.verdict', { text: '', verdict, incident: verdict, question: 'q-1' }],
  ] as const;
  const records = bodies.map(([kind, body], index) => ({ chain, number: index + 1, at, kind, actor: 'engine', body }));
  kept.push(...records.slice(0, 1).map((record) => ({ record, text })));
  return records;
}

beforeAll(async () => {
  writeConfiguration(folder);
  const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
  const store = createAuditStore(database);
  const [now, old] = [new Date(), new Date(Date.now() - 90 * 86_400_000)].map((time) => time.toISOString());
  await store.append(recordsOf('cart', 'benign', now ?? '').map(maker.sign));
  await store.append(recordsOf('web', 'true_positive', now ?? '').map(maker.sign));
  await store.append(recordsOf('ancient', 'benign', old ?? '').map(maker.sign));
  // Written by somebody with the database's password.
  await store.append(recordsOf('lie', 'benign', now ?? '').map(newMaker().sign));
  await database.close();
});

describe('firebreak backtest', () => {
  test('reads the proven records of incidents since then, with their verdicts', async () => {
    const { status, stdout } = await firebreak(['--since', '30d', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      alerts: 2,
      touched: { all: 2, benign: 1, true_positive: 1 },
      questions: { oncall: { all: 2 } },
      people: { ana: { all: 2, shifts: 1, usualShift: 2, worstShift: 2 } },
      askedNobody: 0,
      failed: [],
    });
    expect((await firebreak([])).stdout).toMatch(
      /^QUESTIONS +SHIFTS WITH ANY +USUALLY +AT MOST +IN 8 HOURS, TO\n2 +1 +2 +2 +ana$/m,
    );
    expect(JSON.parse((await firebreak(['--since', '120d', '--json'])).stdout)).toMatchObject({ alerts: 3 });
  });

  test('matches labels and command lines as they were, for as long as they are kept', async () => {
    const pack = join(folder, 'by-label');
    mkdirSync(pack);
    writeFileSync(
      join(pack, 'firebreak.pack.js'),
      `const run = async () => {};
const match = { labels: { team: 'shop' }, process: { name: 'xmrig' } };
const on = { match, minSeverity: 'low', requires: [] };
export default { name: 'ours', version: '1', playbooks: [{ id: 'ours/by-label', title: 'By label', on, uses: {}, run }] };
`,
    );
    const readBy = async () => JSON.parse((await firebreak(['--pack', pack, '--json'])).stdout);
    expect(await readBy()).toMatchObject({ alerts: 2, answered: 0 });
    expect((await firebreak([])).stdout).toContain('2 alerts are known without their command line and labels');
    const keyFile = join(folder, 'keys/codec.key');
    mkdirSync(join(folder, 'keys'), { recursive: true });
    const key = randomBytes(32);
    writeFileSync(keyFile, `${key.toString('base64')}\n`, { mode: 0o600 });
    const { id: keyId } = loadConfig({ path: join(folder, 'firebreak.yaml'), env: {} }).temporal.codecKeys[0] ?? { id: '' };
    const database = await openDatabase({ url: `sqlite:${join(folder, 'audit.db')}` });
    const { seal } = createBox({ keys: [{ id: keyId, key }] });
    const cart = kept.filter(({ record }) => record.chain.includes('/cart@'));
    await createAlertArchive(database).keep(
      cart.map(({ record, text }) => ({ ...record, sealed: seal(Buffer.from(text), sealedAt(record)) })),
    );
    await database.close();
    expect(await readBy()).toMatchObject({ alerts: 2, answered: 1, playbooks: [{ id: 'ours/by-label', alerts: 1 }] });
    expect((await firebreak([])).stdout).toContain('1 alert is known without its command line and labels');
  });

  test('matches in the same way in a simulation of the alerts on record', async () => {
    const { stdout } = await run(['simulate', '--pack', join(folder, 'by-label'), '--records']);
    expect(stdout).toMatch(/^critical +Drop and execute new binary in container +shop\/cart-1 +ours\/by-label +/m);
    expect(stdout).toMatch(/^critical +Drop and execute new binary in container +shop\/web-1 +- +nothing answers it$/m);
    const one = await run(['simulate', '--pack', join(folder, 'by-label'), '--incident', 'shop/Deployment/web', '--json']);
    expect(
      one.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).alert.pod.name),
    ).toEqual(['web-1']);
  });

  test('shows an alternative course of an incident next to the one on record, and says what is not known', async () => {
    const { status, stdout } = await run(['incidents', 'fork', 'shop/Deployment/cart', '--playbook', 'contain-dropped-binary']);
    expect(status).toBe(0);
    expect(stdout).toContain('It is not over: what comes next is unknown.');
    expect(stdout).toMatch(/^- +\+0s +incident\.opened/m);
    expect(stdout).toMatch(/^\+ +\+1s +step\.applied Quarantine the pod: pod\/shop\/cart-1$/m);
    expect(stdout).toMatch(/^verdict +benign → unknown$/m);
    expect((await run(['incidents', 'fork', 'shop/Deployment/cart'])).stderr).toContain('none ran');
    expect((await run(['incidents', 'fork', 'shop/Deployment/nobody'])).stderr).toContain('there are no proven records of');
  });

  test('fails if a condition holds, and says which', async () => {
    const { status, stdout } = await firebreak(['--fail-on', 'touched benign > 0', '--fail-on', 'questions > 100']);
    expect(status).toBe(1);
    expect(stdout).toContain('fails: touched benign > 0');
    expect(stdout).not.toContain('fails: questions');
    expect((await firebreak(['--fail-on', 'nonsense'])).status).toBe(2);
    expect((await firebreak(['--since', 'long'])).status).toBe(2);
  });

  test('reads normalised alerts from standard input line by line, and reports a line that is not one', async () => {
    const lines = [alertOf(), alertOf({ rule: 'Nobody knows it', severity: 'low' })].map((alert) => JSON.stringify(alert));
    const { stdout } = await firebreak(['-'], `${lines.join('\n')}\n`);
    expect(stdout).toMatch(/^ *1 +1 +1 +0 +firebreak\/contain-dropped-binary +quarantinePod 1/m);
    expect(stdout).toMatch(/^1 +low +Nobody knows it$/m);
    // This configuration says who is asked; without one the table is by group.
    expect(stdout).toMatch(/AT MOST +IN 8 HOURS, TO\n1 +1 +1 +1 +ana$/m);
    const elsewhere = await firebreak(['-', '--config', join(folder, 'none.yaml')], `${lines.join('\n')}\n`);
    expect(elsewhere.stdout).toMatch(/AT MOST +IN 8 HOURS, TO THE GROUP\n1 +1 +1 +1 +oncall$/m);
    const strict = `${readFileSync(join(folder, 'firebreak.yaml'), 'utf8')}guardrails: { protectedNamespaces: [shop] }\n`;
    writeFileSync(join(folder, 'strict.yaml'), strict);
    const refused = await firebreak(['-', '--config', join(folder, 'strict.yaml')], `${lines[0]}\n`);
    expect(refused.stdout).toMatch(/^pods touched without asking +0$/m);
    expect(refused.stdout).toMatch(/^1 +1 +0 +1 .*FB_ERR_PROTECTED [23]$/m);
    const broken = await firebreak(['-'], `${lines[0]}\n{}\n`);
    expect(broken.status).toBe(1);
    expect(broken.stderr).toContain('standard input, line 2: not a normalised alert');
  });

  test('fails if the input has no alerts, since no condition could hold then', async () => {
    const empty = mkdtempSync(join(folder, 'no-alerts-'));
    const ofFolder = await firebreak([empty, '--fail-on', 'touched benign > 0']);
    expect(ofFolder.status).toBe(1);
    expect(ofFolder.stderr).toContain(`FB_ERR_ALERT_INVALID: The alert cannot be read: ${empty}: contains no .json, .jsonl`);
    const ofInput = await firebreak(['-', '--fail-on', 'touched benign > 0'], '\n');
    expect(ofInput.status).toBe(1);
    expect(ofInput.stderr).toContain('standard input: holds no alert');
  });

  test('says how to supply alerts if there are none', async () => {
    const { status, stderr } = await firebreak(['--config', 'none.yaml']);
    expect(status).toBe(2);
    expect(stderr).toContain('no file was named, and there is no configuration none.yaml');
    expect(stderr).toContain('Name files or folders with alerts');
  });

  test('compares with another version of a pack', async () => {
    const file = join(folder, 'alerts.jsonl');
    writeFileSync(file, JSON.stringify(alertOf()));
    writeFileSync(
      join(folder, 'firebreak.pack.js'),
      `const run = async () => {};
const on = { match: { rule: 'Other' }, minSeverity: 'low', requires: [] };
export default { name: 'ours', version: '1', playbooks: [{ id: 'ours/other', title: 'Other', on, uses: {}, run }] };
`,
    );
    const { stdout } = await firebreak([file, '--against', folder]);
    expect(stdout).toMatch(/^questions +1 \(0 before\)\n +in one shift of 8 h, at most +1 \(0 before\)$/m);
    expect(stdout).toMatch(/^answered +1 \(0 before\)$/m);
    expect(stdout).toMatch(/^pods touched without asking +1 \(0 before\)$/m);
  });
});
