/** How long a test of a playbook with every possible answer takes, for each shipped playbook and alert: `node bench/playbooks/every-answer.ts`; BENCH_ROUNDS rounds. */
import type { Alert } from '../../core/alert/alert.ts';
import { playbooks } from '../../playbooks/index.ts';
import { waysInto } from '../../test/playbooks/shipped-alerts.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { type BenchResult, distribution, loadNow, printGoals, round, say, writeResult } from '../report.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 8);
const goalMs = 100;

interface Taken {
  readonly ms: number;
  /** Of all threads: V8 compiles and collects on its own. */
  readonly cpuMs: number;
}

interface Measured {
  readonly playbook: (typeof playbooks)[number];
  readonly alert: Alert;
  ways: number;
  /** One per round. The first compiles most of the engine. */
  readonly taken: Taken[];
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const measured: readonly Measured[] = playbooks.flatMap((playbook) =>
  (waysInto[playbook.id.split('/').at(-1) ?? ''] ?? []).map((alert) => ({ playbook, alert, ways: 0, taken: [] })),
);
for (let at = 0; at < rounds; at += 1) {
  for (const one of measured) {
    const began = { ms: performance.now(), cpuMs: cpuMs() };
    const { paths } = await everyAnswer(one.playbook, one.alert);
    one.taken.push({ ms: performance.now() - began.ms, cpuMs: cpuMs() - began.cpuMs });
    one.ways = paths.length;
  }
  say(
    `round ${at + 1} of ${rounds}: ${round(measured.reduce((sum, { taken }) => sum + (taken.at(-1)?.ms ?? 0), 0))} ms for all ${measured.length}`,
  );
}

const first = measured.map(({ taken: [one] }) => one?.ms ?? Number.NaN);
const later = measured.map(({ playbook, alert, ways, taken: [, ...others] }) => ({
  name: `${playbook.id} on “${alert.rule}”`,
  ways,
  ms: distribution(others.map(({ ms }) => ms)).p50,
  cpuMs: distribution(others.map((one) => one.cpuMs)).p50,
}));
const slowest = later.toSorted((a, b) => b.ms - a.ms).slice(0, 5);
const below = (values: readonly number[]): number => values.filter((ms) => ms < goalMs).length;
const slowestFirst = Math.max(...first);
const middleCpu = later.map((one) => one.cpuMs);
const goals = [
  {
    what: 'every answer of a shipped playbook, in the first round: a test usually runs once',
    goal: `less than ${goalMs} ms`,
    measured: `${below(first)} of ${first.length} are below, the slowest takes ${round(slowestFirst)} ms`,
    met: slowestFirst < goalMs,
  },
  {
    what: 'the same once its code has been compiled (median of the later rounds)',
    goal: `less than ${goalMs} ms`,
    measured: `${below(later.map(({ ms }) => ms))} of ${later.length} are below, the slowest takes ${round(slowest[0]?.ms ?? 0)} ms; by CPU of all threads ${below(middleCpu)}, the slowest ${round(Math.max(...middleCpu))} ms`,
    met: later.every(({ ms }) => ms < goalMs),
  },
];
const result: BenchResult = {
  name: 'every-answer',
  what: 'Milliseconds that trying every answer takes, for each shipped playbook and each alert in its tests, one after another in one process',
  figures: {
    ways: later.reduce((sum, one) => sum + one.ways, 0),
    'in the first round': distribution(first),
    [`median of ${rounds - 1} later rounds`]: distribution(later.map(({ ms }) => ms)),
    'the same, in ms of CPU': distribution(later.map((one) => one.cpuMs)),
    'for one way': distribution(later.map((one) => one.ms / one.ways)),
    ...Object.fromEntries(
      slowest.map((one) => [one.name, `${one.ways} ways, ${round(one.ms)} ms, ${round(one.cpuMs)} ms of CPU`]),
    ),
  },
  goals,
  limitedBy: [
    loadNow(),
    'Each path runs the whole engine and the whole chokepoint from its start: some thirty records, seven steps and two questions.',
    'In a new process the first paths take up to ten times as long, until V8 has compiled what they use.',
  ],
};
writeResult(result);
printGoals(goals);
