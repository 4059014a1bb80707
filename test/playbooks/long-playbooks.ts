/** Playbooks that run for long, call others, and undo what they could not finish. */
import { isolateNamespace, quarantinePod, snapshotPodState, suspendCronJob } from '../../core/actions/index.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const on = (rule: string) => ({ match: { rule }, minSeverity: 'low', requires: ['pod'] }) as const;
const uses = { quarantinePod, suspendCronJob, snapshotPodState, isolateNamespace };
const cronJob = { namespace: 'shop', name: 'nightly' };

const allOrNothing = definePlaybook(
  { id: 'all-or-nothing', title: 'All or nothing', on: on('Whole'), uses, sagaUndo: 'below-critical' },
  async ({ alert, saga, note }) => {
    try {
      await saga(async (steps) => {
        await steps.quarantinePod({ pod: alert.pod, lease: '4h' });
        await steps.suspendCronJob({ cronJob });
        await steps.snapshotPodState({ pod: alert.pod });
      });
      note('whole');
    } catch (error) {
      note(`given back: ${String(error)}`);
    }
  },
);

const asksToGiveBack = definePlaybook(
  { id: 'asks-to-give-back', title: 'Asks to give back', on: on('Ask back'), uses },
  async ({ alert, saga }) => {
    await saga(async (steps) => {
      await steps.quarantinePod({ pod: alert.pod, lease: '4h' });
      await steps.snapshotPodState({ pod: alert.pod });
    });
  },
);

const sleepsLong = definePlaybook(
  { id: 'sleeps-long', title: 'Looks again after three days', on: on('Sleep'), uses: { snapshotPodState } },
  async ({ alert, sleep, steps, note }) => {
    const slept = await sleep('3d');
    await steps.snapshotPodState({ pod: alert.pod });
    note(`slept: ${slept}`);
  },
);

const sleepsTooLong = definePlaybook(
  { id: 'sleeps-too-long', title: 'Sleeps too long', on: on('Too long'), uses: {} },
  async ({ sleep }) => {
    await sleep('31d');
  },
);

const looksOften = definePlaybook(
  { id: 'looks-often', title: 'Looks every ten minutes', on: on('Often'), uses: { snapshotPodState } },
  async ({ alert, every, steps, note }) => {
    const turns = await every('10m', 12, async (turn) => {
      await steps.snapshotPodState({ pod: alert.pod });
      return turn === 3 ? 'enough' : undefined;
    });
    note(`looked ${turns} times`);
  },
);

const callsAnother = definePlaybook(
  { id: 'calls-another', title: 'Calls another', on: on('Call'), uses: {} },
  async ({ runPlaybook, note, verdict }) => {
    const end = await runPlaybook(looksOften);
    const again = await runPlaybook(looksOften);
    note(`${end.state}, ${again.state}`);
    verdict('suspicious', 'looked at');
  },
);

const callsItsCaller = definePlaybook(
  { id: 'calls-its-caller', title: 'Calls its caller', on: on('Circle'), uses: {} },
  async ({ runPlaybook }) => {
    await runPlaybook({ id: 'calls-back', on: { requires: [] } });
  },
);

const callsBack = definePlaybook(
  { id: 'calls-back', title: 'Calls back', on: on('never'), uses: {} },
  async ({ runPlaybook }) => {
    await runPlaybook(callsItsCaller);
  },
);

export const longPlaybooks: readonly ListedPlaybook[] = [
  allOrNothing,
  asksToGiveBack,
  sleepsLong,
  sleepsTooLong,
  looksOften,
  callsAnother,
  callsItsCaller,
  callsBack,
];
