import { compareIntakes } from './parts/intake/compare-intakes.ts';
import { loadNow, round, writeResult } from './report.ts';

/** What it costs the intake to find the playbooks that match an alert: the shipped ones and a hundred more, five of which count these alerts. */
const mostPercent = 10;
const { rounds, ...figures } = await compareIntakes('matcher');
// Share of the alerts that a processor has time for: the number per second of wall time depends on what else the machine does.
const percent = round(100 * (1 - 1 / (1 + figures.percentOfCpu / 100)));
console.log({ ...figures, percentOfRateOfAProcessor: percent });
writeResult({
  name: 'matcher',
  what: 'What it costs the intake to match each alert against the shipped playbooks and a hundred more, with and without them in turns',
  figures: { ...figures, percentOfRateOfAProcessor: percent },
  goals: [
    {
      what: 'Cost of the matcher, as a share of the alerts that a processor has time for',
      goal: `at most ${mostPercent} %`,
      measured: `${percent} % (median of ${rounds} pairs in turns; by the clock ${figures.percentOfRate} %)`,
      met: percent <= mostPercent,
    },
  ],
  limitedBy: [loadNow(), 'Sender and intakes share the machine; what the intakes deliver is accepted at once, without Temporal.'],
});
