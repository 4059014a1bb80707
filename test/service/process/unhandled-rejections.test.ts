import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-last-net-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program in a process of its own, where nothing handles what it rejects. */
function run(program: string, command = `exec ${process.execPath}`) {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, program);
  return spawnSync('sh', ['-c', `${command} --disable-warning=ExperimentalWarning ${file}`], { encoding: 'utf8', cwd: folder });
}

const net = `import { installLastNet, countUnhandled } from ${JSON.stringify(join(root, 'service/process/unhandled-rejections.ts'))};
const said = [];
installLastNet({ error: (fields, message) => said.push({ ...fields, message }) });
`;

test('an unhandled rejection is logged with its place and without its text, and counted; the process goes on', () => {
  const { status, stdout } = run(`${net}
import { Registry } from ${JSON.stringify(join(root, 'node_modules/prom-client/index.js'))};
void Promise.reject(new TypeError('token hunter2'));
void Promise.reject('hunter2');
await new Promise((done) => setTimeout(done, 50));
const registry = new Registry();
countUnhandled([registry]);
await registry.metrics();
console.log(JSON.stringify({ said, metrics: await registry.metrics() }));
`);
  expect(status).toBe(0);
  expect(stdout).not.toContain('hunter2');
  const { said, metrics } = JSON.parse(stdout);
  expect(said).toMatchObject([
    { reason: 'TypeError', at: expect.stringMatching(/program\.mjs:\d+:\d+$/), caught: 1 },
    { reason: 'string', caught: 2 },
  ]);
  expect(metrics).toContain('firebreak_unhandled_rejections_total 2');
});

test('without this, such a rejection ends the process', () => {
  expect(run(`void Promise.reject(new TypeError('x')); setTimeout(() => process.exit(0), 1_000);`).status).toBe(1);
});

test('an alert for which there is no room on the disk is refused, and the process survives', () => {
  // A file size limit stands in for a full disk; its signal would end the process before the write could fail.
  const { signal, stdout } = run(
    `${net}
import { Spool } from ${JSON.stringify(join(root, 'service/intake/spool/spool.ts'))};
const spool = await Spool.open({ directory: ${JSON.stringify(join(folder, 'spool'))}, maxBytes: 1e9 });
const alert = { id: '0'.repeat(32), sensor: 'falco', rule: 'r', severity: 'low', time: '2026-06-01T10:00:00Z', title: 'x'.repeat(9_000_000), cluster: 'lab', observables: [], tags: [], mitre: [] };
const entry = { alert, subject: { kind: 'cluster', cluster: 'lab' }, receivedAt: '2026-06-01T10:00:00.000Z' };
const outcome = await spool.add('incident/lab/cluster', entry).then(() => 'taken', () => 'refused');
await new Promise((done) => setTimeout(done, 100));
process.stdout.write(JSON.stringify({ outcome }), () => process.kill(process.pid, 'SIGKILL'));
`,
    `trap '' XFSZ; ulimit -f 8000; exec ${process.execPath}`,
  );
  expect([stdout, signal]).toEqual([JSON.stringify({ outcome: 'refused' }), 'SIGKILL']);
});
