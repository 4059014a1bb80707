/** How long 100 000 recorded alerts take against all shipped playbooks, and how much memory: `node bench/playbooks/backtest.ts`; BENCH_COUNT alerts. */
import type { Alert } from '../../core/alert/alert.ts';
import { exactRules } from '../../core/playbook/match-alert.ts';
import { playbooks } from '../../playbooks/index.ts';
import { Backtest } from '../../testing/backtest/backtest.ts';
import { type BenchResult, loadNow, printGoals, round, say, writeResult } from '../report.ts';

const alerts = Number(process.env.BENCH_COUNT ?? 100_000);
const rules = [
  ...new Set(playbooks.flatMap(({ on }) => (on.match === 'unanswered' ? [] : [...(exactRules(on.match) ?? [])]))),
  'A rule that nothing answers',
];
const severities = ['critical', 'high', 'medium', 'low'] as const;
const pods = 1_000;
const spanMs = 30 * 86_400_000;

function alertAt(nth: number): Alert {
  // A fixed pseudo-random sequence: the same in each run.
  const random = (nth * 2_654_435_761) % 4_294_967_296;
  const [pod, rule] = [random % pods, Math.floor(random / pods) % rules.length];
  const at = new Date(Date.UTC(2026, 0, 1) + (nth / alerts) * spanMs).toISOString();
  return {
    id: nth.toString(16).padStart(32, '0'),
    sensor: 'falco',
    rule: rules[rule] ?? '',
    severity: severities[random % severities.length] ?? 'low',
    time: at,
    receivedAt: at,
    title: `alert ${nth}`,
    cluster: 'bench',
    node: `node-${pod % 50}`,
    pod: { namespace: `team-${pod % 20}`, name: `app-${pod}`, uid: `uid-${pod}` },
    workload: { kind: 'Deployment', namespace: `team-${pod % 20}`, name: `app-${Math.floor(pod / 4)}` },
    process: { name: 'sh', commandLine: `sh -c ${nth}` },
    observables: [],
    tags: [],
    mitre: [],
  };
}

const backtest = new Backtest({ playbooks, quietMs: 3_600_000 });
const began = performance.now();
let mostBytes = 0;
let quarterBytes = 0;
for (let nth = 0; nth < alerts; nth += 1) {
  await backtest.add({ alert: alertAt(nth) });
  if (nth % 20_000 === 0) say(`${nth} of ${alerts} alerts`);
  if (nth % 5_000 === 0) mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
  if (nth <= alerts / 4) quarterBytes = mostBytes;
}
const seconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage();
const report = backtest.report();
const cpuSeconds = (user + system) / 1e6;
const goals = [
  {
    what: `backtest of ${alerts} recorded alerts against all shipped playbooks`,
    goal: 'less than 60 s on 2 cores',
    measured: `${round(seconds)} s, of which ${round(cpuSeconds)} s of CPU`,
    met: seconds < 60,
  },
];
const result: BenchResult = {
  name: 'backtest',
  what: `Seconds that the shipped playbooks take for ${alerts} recorded alerts of ${pods} pods in 30 days, each body in the simulation`,
  figures: {
    seconds: round(seconds),
    'seconds of a processor': round(cpuSeconds),
    playbooks: playbooks.length,
    'alerts answered': report.answered,
    'bodies run': report.playbooks.reduce((sum, { runs }) => sum + runs, 0),
    'memory at a quarter, MB': round(quarterBytes / 1e6),
    'memory, most, MB': round(mostBytes / 1e6),
  },
  goals,
  limitedBy: [
    loadNow(),
    'Alerts that differ only in details that no body looks at are simulated once; the others each take one to five milliseconds.',
  ],
};
writeResult(result);
printGoals(goals);
if (goals.some(({ met }) => !met)) process.exitCode = 1;
