/** Cost of the pack checks that authors run before a pack is live: `node bench/playbooks/pack-check.ts`; BENCH_ROUNDS rounds. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from '../../tools/setup/build.mjs';
import { processStat, ticksPerSecond } from '../parts/process-stat.ts';
import { type BenchResult, distribution, loadNow, printGoals, round, say, writeResult } from '../report.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const goalMs = 5_000;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-pack-check-'));
const cli = join(await ensureBuilt({ node: process.execPath }), 'service', 'cli.js');

/** Milliseconds of wall time, and of processor time: its own and that of everything it starts. */
function firebreak(cwd: string, ...args: readonly string[]): { readonly ms: number; readonly cpuMs: number } {
  const ticks = () => processStat(process.pid)?.childrenTicks ?? 0;
  const [began, used] = [performance.now(), ticks()];
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`firebreak ${args.join(' ')}: ${stderr}${stdout}`);
  return { ms: performance.now() - began, cpuMs: ((ticks() - used) * 1_000) / ticksPerSecond };
}

firebreak(folder, 'pack', 'new', 'our-playbooks');
const packs = [
  ['a new pack', join(folder, 'our-playbooks')],
  ['a pack with an action of its own', join(import.meta.dirname, '..', '..', 'packs', 'cloud-security-group')],
] as const;
const looks = [
  ['pack check', ['pack', 'check', '.']],
  ['playbooks check', ['playbooks', 'check', '--pack', '.']],
] as const;
const taken = new Map<string, { readonly ms: number; readonly cpuMs: number }[]>();
try {
  // In turns, so that whatever else the machine does affects all of them alike.
  for (let at = 0; at < rounds; at += 1)
    for (const [what, where] of packs)
      for (const [look, args] of looks) {
        const name = `${look} of ${what}`;
        const one = firebreak(where, ...args);
        say(`${name}: ${round(one.ms)} ms, ${round(one.cpuMs)} ms of CPU`);
        taken.set(name, [...(taken.get(name) ?? []), one]);
      }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const mean = (values: readonly number[]): number => round(values.reduce((sum, value) => sum + value, 0) / values.length);
const goals = [...taken].map(([name, all]) => {
  const used = mean(all.map(({ cpuMs }) => cpuMs));
  // Next to other programs, wall time says little.
  return { what: name, goal: `less than ${goalMs} ms of CPU`, measured: `${used} ms of CPU`, met: used < goalMs };
});
const result: BenchResult = {
  name: 'pack-check',
  what: 'Milliseconds that checking a pack takes, from the start of the command to its end',
  figures: Object.fromEntries(
    [...taken].flatMap(([name, all]) => [
      [`${name}: by the clock`, distribution(all.map(({ ms }) => ms))],
      [`${name}: of a processor`, mean(all.map(({ cpuMs }) => cpuMs))],
    ]),
  ),
  goals,
  limitedBy: [loadNow(), 'Each check runs the TypeScript compiler and a process that reads the envelopes.'],
};
writeResult(result);
printGoals(goals);
