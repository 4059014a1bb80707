import { spawnSync } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AlertSender } from './parts/alerts.ts';
import { deployPods, inParallel, openStage, podsWhenRunning } from './parts/stage.ts';
const n = Number(process.env.BENCH_COUNT ?? 50);
const stage = await openStage({ nodes: ['node-0'], prepare: (api) => deployPods(api, { 'bench-list': n }), configure: ({ slack: _, ...config }) => config });
try {
  const pods = await podsWhenRunning(stage.api, 'bench-list', n);
  const sender = new AlertSender(stage.settings, 5);
  await inParallel(pods, 5, (pod) => sender.alert(pod));
  sender.close();
  const asked = () => { const d = new DatabaseSync(join(stage.settings.folder, 'state', 'audit.db'), { readOnly: true }); try { return Number(d.prepare("SELECT COUNT(DISTINCT chain) AS value FROM audit_records WHERE kind = 'question.asked'").get()?.value ?? 0); } finally { d.close(); } };
  while (asked() < n) await sleep(500);
  await sleep(70_000);
  for (let r = 0; r < 8; r++) { const t = performance.now(); const { stdout, stderr, status } = spawnSync(process.execPath, [join(import.meta.dirname, '../bin/firebreak.mjs'), 'incidents', 'list', '--config', stage.settings.configFile, '--json'], { encoding: 'utf8' }); console.log(status, Math.round(performance.now() - t), 'ms', (() => { try { const rows = JSON.parse(stdout); return [rows.length, rows.filter((x: any) => x.confirmed).length]; } catch { return stdout.slice(0, 300); } })(), stderr.slice(0, 300)); }
} finally { await stage.stop(); }
process.exit(0);
