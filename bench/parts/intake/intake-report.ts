import { type BenchResult, distribution, loadNow, printGoals, round, writeResult } from '../../report.ts';
import type { DeliveredLoad } from '../delivered-load.ts';
import type { LoadResult } from '../open-loop.ts';

export const goals = { oneWorkload: 10_000, forwarded: 15_000, manyWorkloads: 3_000, p99Ms: 50, memoryMb: 600, idleShare: 0.01 };

/** Milliseconds of processor time per 1 000 alerts. */
export interface CpuCosts {
  /** Of the intake's process. */
  readonly cpuMsPerThousand: number;
  readonly temporalCpuMsPerThousand: number;
}

export interface Measured extends CpuCosts {
  readonly name: string;
  readonly fast: LoadResult;
  readonly steady: LoadResult;
  readonly perSecond: number;
  readonly far: DeliveredLoad;
  readonly drainSeconds: number;
}

export interface CriticalTimes {
  readonly answered: number;
  readonly started: number;
  readonly firstTask: number;
}

/** Prints how the goals stand; if everything was measured, also writes the result. */
export function report({
  idleShare,
  coldCpuMs,
  all,
  critical,
  memory,
  isWhole,
}: {
  readonly idleShare: number;
  /** For 1 000 of the first alerts after the start. */
  readonly coldCpuMs: number;
  readonly all: readonly Measured[];
  readonly critical: readonly CriticalTimes[];
  readonly memory: Readonly<Record<'peakAnonMb' | 'peakFileMb' | 'peakRssMb', number>>;
  readonly isWhole: boolean;
}): void {
  const { peakAnonMb, peakFileMb, peakRssMb } = memory;
  const criticalRows = {
    'critical alert in the storm to its answer, ms': distribution(critical.map(({ answered }) => answered)),
    'critical alert in the storm to its start in Temporal, ms': distribution(critical.map(({ started }) => started)),
    'critical alert in the storm to its incident’s first task, ms': distribution(critical.map(({ firstTask }) => firstTask)),
  };
  const sent = all.reduce((sum, { fast, steady }) => sum + fast.sent + steady.sent, 0);
  const accepted = all.reduce((sum, { fast, steady }) => sum + fast.accepted + steady.accepted, 0);
  const counted = all.reduce((sum, { far }) => sum + far.counted, 0);
  const twice = all.reduce((sum, { far }) => sum + far.twice, 0);
  const lost = Math.max(0, accepted - counted);
  const duplicated = Math.max(0, counted - accepted) + twice;
  const [one, forwarded, , many] = ['one', 'forwarded', 'thousand', 'many'].map((wanted) =>
    all.find(({ name }) => name === wanted),
  );
  const steady99 = all.map(({ name, steady }) => `${name} ${distribution(steady.latenciesMs).p99}`);
  const result: BenchResult = {
    name: 'intake',
    what: 'Alerts of Falco, one a request over 64 connections (`forwarded`: 20 a request, as forwarders send them), into the intake, with its worker, a Temporal server and the client on the same machine; counted from the histories.',
    figures: {
      ...Object.fromEntries(
        all.flatMap(({ name, perSecond, steady, fast, cpuMsPerThousand, temporalCpuMsPerThousand, drainSeconds, far }) => [
          [`${name}: accepted a second, as fast as it takes them`, round(perSecond)],
          [`${name}: answer at half the goal, ms`, distribution(steady.latenciesMs)],
          [`${name}: p99 of that by second, ms`, steady.p99BySecond.join(' ')],
          [`${name}: answer when as fast as possible, ms`, distribution(fast.latenciesMs)],
          [`${name}: CPU of the process for 1 000 alerts, ms`, round(cpuMsPerThousand)],
          [`${name}: CPU of Temporal’s server meanwhile, for 1 000 alerts, ms`, round(temporalCpuMsPerThousand)],
          [`${name}: until Temporal has all, s`, round(drainSeconds)],
          [`${name}: incidents`, far.incidents],
        ]),
      ),
      // A part of the bench may leave the storm out.
      ...(critical.length > 0 && criticalRows),
      'CPU of the process for 1 000 of the first 2 000 alerts after a start, one a request, ms': round(coldCpuMs),
      sent,
      accepted,
      'counted at the far end': counted,
      'peak memory, RssAnon, MB': round(peakAnonMb),
      'peak of mapped files (programs, and the spool’s pages, which the system takes back when it needs them), RssFile, MB':
        round(peakFileMb),
      'peak memory with both, VmHWM, MB': round(peakRssMb),
      'idle, share of one core': round(idleShare * 1_000) / 1_000,
    },
    goals: [
      ...rateGoals('one workload, 20 a request', goals.forwarded, forwarded),
      ...rateGoals('one workload, one a request', goals.oneWorkload, one),
      ...(many ? [acceptedGoal('5 000 workloads', goals.manyWorkloads, many)] : []),
      {
        what: 'p99 of the answer at half of that, ms',
        goal: `≤ ${goals.p99Ms}`,
        measured: steady99.join(', '),
        met: all.every(({ steady }) => distribution(steady.latenciesMs).p99 <= goals.p99Ms),
      },
      goal('lost', '0', lost, (value) => value === 0),
      goal('duplicated', '0', duplicated, (value) => value === 0),
      goal(
        'peak memory that the system cannot take back (RssAnon), MB',
        `≤ ${goals.memoryMb}`,
        peakAnonMb,
        (value) => value <= goals.memoryMb,
      ),
      goal('idle, share of one core', `< ${goals.idleShare}`, idleShare, (value) => value < goals.idleShare),
    ],
    limitedBy: [
      'Containment does not wait for the incident’s first task: `storm` measures it, with the whole service and a real API server.',
      'Client, intake, worker and Temporal server share the two cores.',
      loadNow(),
      'The cost of one alert is measured on a process that has accepted 60 000: a smaller `BENCH_SCALE` changes the count, not the figure.',
      'Memory and idle CPU are those of the whole process: the intake, the Temporal client and the incidents’ worker.',
      'A start costs Temporal’s dev server and the worker several milliseconds of CPU: with many workloads the starts use up the machine.',
    ],
  };
  writeResult(result);
  if (!isWhole && critical.length > 0) console.log(Object.entries(criticalRows));
  printGoals(result.goals);
}

function acceptedGoal(what: string, wanted: number, { perSecond }: Measured): BenchResult['goals'][number] {
  return goal(`accepted a second, ${what}`, `≥ ${wanted}`, perSecond, (value) => value >= wanted);
}

/** One thread takes the alerts, so each uses a share of a second alone: if other programs use part of the machine, this says more than the rate. */
function rateGoals(what: string, wanted: number, measured: Measured | undefined): BenchResult['goals'] {
  if (measured === undefined) return [];
  const most = Math.round(1e6 / wanted);
  const cpu = `CPU of the process for 1 000 alerts, ${what}, ms`;
  return [acceptedGoal(what, wanted, measured), goal(cpu, `≤ ${most}`, measured.cpuMsPerThousand, (value) => value <= most)];
}

function goal(what: string, wanted: string, value: number, met: (value: number) => boolean): BenchResult['goals'][number] {
  return { what, goal: wanted, measured: String(Math.round(value * 1_000) / 1_000), met: met(value) };
}
