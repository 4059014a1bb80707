import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { findOnPath, runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';

const canHaveOwnNetwork = process.getuid?.() === 0 && ['unshare', 'ip', 'wget'].every((program) => findOnPath(program));
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

interface Finding {
  readonly check: string;
  readonly state: string;
  readonly text: string;
}

/** Runs it with these profiles. Returns what became of an alert and what the doctor found. */
async function composed(profiles: string): Promise<{ readonly alert: number; readonly findings: readonly Finding[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-compose-'));
  folders.push(folder);
  // PostgreSQL runs as another user, and has its volume in here.
  chmodSync(folder, 0o711);
  const files = ['hosts', 'kubeconfig', 'alert.json'].map((name) => join(folder, name));
  const [hosts = '', kubeconfig = '', alert = ''] = files;
  for (const file of [hosts, kubeconfig]) writeFileSync(file, '');
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
      ...[folder, process.execPath, join(projectRoot(), 'test/postgres/composed.ts')],
    ],
    env: { ...process.env, FIREBREAK_KUBECONFIG: kubeconfig, COMPOSE_PROFILES: profiles },
  });
  if (code !== 0) {
    const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
    const ends = logs.map((name) => `${name}: ${readFileSync(join(folder, name), 'utf8').slice(-1_500)}`);
    throw new Error([stderr.slice(-2_000), ...ends].join('\n'));
  }
  return JSON.parse(readFileSync(join(folder, 'found.json'), 'utf8'));
}

(canHaveOwnNetwork ? test : test.skip).each([
  ['without a profile', '', { database: 'SQLite', 'evidence store': 'was written to and read' }],
  [
    'with all profiles',
    'postgres,s3,slack,ui',
    { database: 'PostgreSQL answers', 'evidence store': 'firebreak-evidence', slack: 'reads C0INCIDENTS' },
  ],
])(
  'docker-compose.yml runs %s: all services are healthy, Firebreak finds each of them, and accepts an alert',
  async (_, profiles, found) => {
    if (process.env.FIREBREAK_TEST_PLATFORM === undefined) await ensureBuilt({ node: process.execPath });
    const { alert, findings } = await composed(profiles);
    expect(alert).toBe(200);
    const inOrder = (check: string, text: string) =>
      expect(findings).toContainEqual({ check, state: 'ok', text: expect.stringContaining(text) });
    // How fast it answers depends on the machine: a slow answer adds a warning.
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'temporal',
        state: expect.stringMatching(/^(ok|warning)$/),
        text: expect.stringContaining('temporal:7233 serves'),
      }),
    );
    for (const check of ['temporal search attributes', 'kubernetes', 'rights']) inOrder(check, '');
    for (const [check, text] of Object.entries(found)) inOrder(check, text);
  },
);
