/** How long a test of a playbook with every possible answer takes, for each shipped playbook and alert: `node bench/playbooks/every-answer.ts [rounds]`. */
import { playbooks } from '../../playbooks/index.ts';
import { waysInto } from '../../test/playbooks/shipped-alerts.ts';
import { everyAnswer } from '../../testing/every-answer.ts';
import { type BenchResult, distribution, loadNow, printGoals, round, writeResult } from '../report.ts';

const rounds = Number(process.argv[2] ?? 3);
const goalMs = 100;

interface Measured {
  readonly name: string;
  readonly ways: number;
  /** Processor time: next to other programs, wall time says little. */
  readonly ms: number;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function once(): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const playbook of playbooks)
    for (const alert of waysInto[playbook.id.split('/').at(-1) ?? ''] ?? []) {
      const began = cpuMs();
      const { paths } = await everyAnswer(playbook, alert);
      measured.push({ name: `${playbook.id} on “${alert.rule}”`, ways: paths.length, ms: cpuMs() - began });
    }
  return measured;
}

const first = await once();
let last = first;
for (let at = 1; at < rounds; at += 1) last = await once();
const slowest = last.toSorted((a, b) => b.ms - a.ms).slice(0, 5);
const goals = [
  {
    what: 'every answer of a shipped playbook, after loading',
    goal: `less than ${goalMs} ms`,
    measured: `${last.filter(({ ms }) => ms < goalMs).length} of ${last.length} are below, the slowest takes ${round(slowest[0]?.ms ?? 0)} ms of CPU`,
    met: last.every(({ ms }) => ms < goalMs),
  },
];
const result: BenchResult = {
  name: 'every-answer',
  what: 'Milliseconds of CPU that trying every answer takes, for each shipped playbook and each alert in its tests',
  figures: {
    ways: last.reduce((sum, { ways }) => sum + ways, 0),
    'at first': distribution(first.map(({ ms }) => ms)),
    [`in round ${rounds}`]: distribution(last.map(({ ms }) => ms)),
    'for one way': distribution(last.map(({ ms, ways }) => ms / ways)),
    ...Object.fromEntries(slowest.map(({ name, ways, ms }) => [name, `${ways} ways, ${round(ms)} ms`])),
  },
  goals,
  limitedBy: [
    loadNow(),
    'Each path runs the whole engine and the whole chokepoint from its start: some thirty records, seven steps and two questions.',
  ],
};
writeResult(result);
printGoals(goals);
