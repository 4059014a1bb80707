/** A benchmark: `bench/NAME.ts`, started by `npm run bench`. */
export interface Benchmark {
  /** File below `bench`, without `.ts`. Its last part is the name for the command line and the result. */
  readonly file: string;
  /** What it measures, in one line. */
  readonly measures: string;
  /** Minutes that the whole form took on two cores. */
  readonly minutes: number;
  /** Sizes of the short form, which takes three minutes at most. */
  readonly short: Readonly<Record<string, string>>;
}

/** All benchmarks, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  {
    file: 'alert-to-containment',
    measures: 'an alert until its pod is contained, one at a time and in bursts',
    minutes: 40,
    short: { BENCH_COUNT: '10', BENCH_ROUNDS: '1', BENCH_OPEN: '20', BENCH_REST_S: '10' },
  },
  {
    file: 'click-to-action',
    measures: 'a click in Slack until the API server has the change',
    minutes: 20,
    short: { BENCH_COUNT: '10', BENCH_OPEN: '50' },
  },
  {
    file: 'storm',
    measures: 'critical alerts while a storm of low alerts arrives',
    minutes: 3,
    short: { BENCH_COUNT: '10', BENCH_SCALE: '0.05' },
  },
  {
    file: 'intake',
    measures: 'alerts accepted a second, and the time to answer',
    minutes: 10,
    short: { BENCH_SCALE: '0.05', BENCH_REST_S: '5' },
  },
  { file: 'memory', measures: 'memory of the service with open incidents', minutes: 30, short: { BENCH_COUNT: '20' } },
  {
    file: 'scale',
    measures: 'what open incidents and more cells cost (BENCH_MINUTES limits it)',
    minutes: 15,
    short: { BENCH_COUNT: '10', BENCH_MINUTES: '1', BENCH_CELLS: '1,5' },
  },
  {
    file: 'workers',
    measures: 'what more replicas of a cell cost',
    minutes: 15,
    short: { BENCH_COUNT: '5', BENCH_REPLICAS: '1,2' },
  },
  {
    file: 'actions',
    measures: 'calls and time of each action, and evidence from a real node',
    minutes: 15,
    short: { BENCH_COUNT: '1', BENCH_MEGABYTES: '50', BENCH_ARTEFACTS: '20' },
  },
  {
    file: 'outages',
    measures: 'containment while Slack and the ticket system do not answer',
    minutes: 5,
    short: { BENCH_COUNT: '10' },
  },
  {
    file: 'temporal-away',
    measures: 'alerts and containment while Temporal is down for ten minutes',
    minutes: 15,
    short: { BENCH_AWAY_S: '20' },
  },
  {
    file: 'spool-reopen',
    measures: 'how fast the spool of a killed process is open again',
    minutes: 3,
    short: { BENCH_COUNT: '5000' },
  },
  {
    file: 'alerts-parse',
    measures: 'lines that `firebreak alerts parse` reads a second',
    minutes: 1,
    short: { BENCH_COUNT: '5000' },
  },
  {
    file: 'matcher',
    measures: 'what matching an alert to playbooks costs the intake',
    minutes: 2,
    short: { BENCH_SCALE: '0.2' },
  },
  {
    file: 'playbooks/backtest',
    measures: 'recorded alerts through all shipped playbooks',
    minutes: 1,
    short: { BENCH_COUNT: '5000' },
  },
  {
    file: 'novelty',
    measures: 'how well novelty tells attacks from usual behaviour, and its cost',
    minutes: 3,
    short: { BENCH_SCALE: '0.2' },
  },
  {
    file: 'playbooks/assessment',
    measures: 'what the assessment does on intrusions and noise',
    minutes: 1,
    short: {},
  },
  {
    file: 'playbooks/every-answer',
    measures: 'trying every answer of every shipped playbook',
    minutes: 1,
    short: { BENCH_ROUNDS: '2' },
  },
  {
    file: 'playbooks/saved-pack',
    measures: 'a saved file of a pack until it is live',
    minutes: 1,
    short: { BENCH_ROUNDS: '1' },
  },
  { file: 'playbooks/pack-check', measures: 'the checks of a pack', minutes: 3, short: { BENCH_ROUNDS: '1' } },
  { file: 'streams', measures: 'records delivered to a SIEM a second', minutes: 2, short: { BENCH_COUNT: '200' } },
  {
    file: 'records/audit',
    measures: 'records written and verified a second',
    minutes: 3,
    short: { BENCH_COUNT: '5000' },
  },
  {
    file: 'records/many-records',
    measures: 'ten million records: verify, report, console',
    minutes: 60,
    short: { BENCH_COUNT: '200' },
  },
  {
    file: 'console',
    measures: 'the console in a browser; `console:postgres` on PostgreSQL',
    minutes: 10,
    short: { BENCH_COUNT: '2000', BENCH_ROUNDS: '5' },
  },
];
