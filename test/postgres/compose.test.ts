import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, jest, test } from '@jest/globals';
import { parse } from 'yaml';
import { findOnPath, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';

jest.setTimeout(600_000);

const folder = mkdtempSync(join(tmpdir(), 'firebreak-compose-'));
// PostgreSQL runs as somebody else, and has its volume in here.
chmodSync(folder, 0o711);
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
const canHaveOwnNetwork = process.getuid?.() === 0 && ['unshare', 'ip', 'wget'].every((program) => findOnPath(program));

(canHaveOwnNetwork ? test : test.skip)(
  'what docker-compose.yml says runs: all are healthy, Firebreak finds each of them, and an alert is taken',
  async () => {
    if (process.env.FIREBREAK_TEST_PLATFORM === undefined) await ensureBuilt({ node: process.execPath });
    const root = projectRoot();
    const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'));
    writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost ${Object.keys(services).join(' ')}\n`);
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, '');
    const alert = join(folder, 'alert.json');
    writeFileSync(
      alert,
      JSON.stringify({
        ...{ rule: 'Terminal shell in container', priority: 'Notice', output: 'a shell', source: 'syscall' },
        ...{ time: new Date().toISOString(), output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'cart' } },
      }),
    );
    const inside = `ip link set lo up && mount --bind "$1/hosts" /etc/hosts && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1" "$1/alert.json"`;
    const { code, stderr } = await runCommand({
      command: 'unshare',
      args: [
        ...['--net', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child', 'sh', '-ec', inside, 'sh'],
        ...[folder, process.execPath, join(root, 'test/postgres/composed.ts')],
      ],
      env: { ...process.env, FIREBREAK_KUBECONFIG: kubeconfig },
    });
    if (code !== 0) {
      const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
      const ends = logs.map((name) => `${name}: ${readFileSync(join(folder, name), 'utf8').slice(-1_500)}`);
      throw new Error([stderr.slice(-2_000), ...ends].join('\n'));
    }
    const { alert: status, findings } = JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8'));
    expect(status).toBe(200);
    const ofCheck = (name: string) => findings.filter(({ check }: { check: string }) => check === name);
    for (const check of ['temporal search attributes', 'kubernetes', 'database', 'rights'])
      for (const finding of ofCheck(check)) expect(finding).toMatchObject({ state: 'ok' });
    expect(ofCheck('temporal')[0]).toMatchObject({ state: 'ok', text: expect.stringContaining('temporal:7233 serves') });
    expect(ofCheck('database')[0]).toMatchObject({ text: expect.stringContaining('PostgreSQL answers') });
    expect(ofCheck('evidence store')[0]).toMatchObject({ state: 'ok', text: expect.stringContaining('firebreak-evidence') });
  },
);
