/** How long a test of a playbook with every possible answer takes, for each shipped playbook and alert: `node bench/playbooks/every-answer.ts [rounds]`. */
import { playbooks } from '../../playbooks/index.ts';
import { waysInto } from '../../test/playbooks/shipped-alerts.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { type BenchResult, distribution, loadNow, printGoals, round, writeResult } from '../report.ts';

const rounds = Number(process.argv[2] ?? 7);
const goalMs = 100;

interface Taken {
  readonly ms: number;
  /** Of all threads: V8 compiles and collects on its own. */
  readonly cpuMs: number;
}

interface Measured {
  readonly name: string;
  readonly ways: number;
  /** One per round. The first compiles most of the engine. */
  readonly taken: readonly Taken[];
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const tests = playbooks.flatMap((playbook) =>
  (waysInto[playbook.id.split('/').at(-1) ?? ''] ?? []).map((alert) => ({ playbook, alert })),
);
const taken: Taken[][] = tests.map(() => []);
const ways: number[] = [];
for (let at = 0; at < rounds; at += 1)
  for (const [index, { playbook, alert }] of tests.entries()) {
    const began = { ms: performance.now(), cpuMs: cpuMs() };
    const { paths } = await everyAnswer(playbook, alert);
    taken[index]?.push({ ms: performance.now() - began.ms, cpuMs: cpuMs() - began.cpuMs });
    ways[index] = paths.length;
  }

const measured: readonly Measured[] = tests.map(({ playbook, alert }, index) => ({
  name: `${playbook.id} on “${alert.rule}”`,
  ways: ways[index] ?? 0,
  taken: taken[index] ?? [],
}));
const first = measured.map(({ taken: [one] }) => one?.ms ?? Number.NaN);
const later = measured.map((one) => ({
  ...one,
  ms: median(one.taken.slice(1).map(({ ms }) => ms)),
  cpuMs: median(one.taken.slice(1).map((each) => each.cpuMs)),
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
