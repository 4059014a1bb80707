import { compareIntakes } from './parts/intake/compare-intakes.ts';
import { loadNow, writeResult } from './report.ts';

/** What it costs the intake to ask which playbooks an alert calls for: the shipped ones and a hundred more, five of which count these alerts. */
const mostPercent = 10;
const { rounds, ...figures } = await compareIntakes('matcher');
console.log(figures);
writeResult({
  name: 'matcher',
  what: 'What it costs the intake to ask the shipped playbooks and a hundred more about each alert, with and without in turns',
  figures,
  goals: [
    {
      what: 'The matcher costs the intake’s rate',
      goal: `at most ${mostPercent} %`,
      measured: `${figures.percentOfRate} % (median of ${rounds} pairs; processor time ${figures.percentOfCpu} %)`,
      met: figures.percentOfRate <= mostPercent,
    },
  ],
  limitedBy: [loadNow(), 'Sender and intakes share the machine; what the intakes hand over is taken at once, without Temporal.'],
});
