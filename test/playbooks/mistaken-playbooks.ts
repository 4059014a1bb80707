/** The workflows as shipped, with playbooks that contain an author's mistake. */
import { quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { addPlaybooks } from './added.ts';

const on = (rule: string) => ({ match: { rule }, minSeverity: 'low', requires: ['pod'] }) as const;
let spun = 0;

const forgotToCount = definePlaybook(
  { id: 'forgot-to-count', title: 'Never counts up', on: on('Spin'), uses: {} },
  async ({ note }) => {
    note('begins');
    for (let index = 0; index < 10; ) spun += index;
  },
);

const catchesAll = definePlaybook({ id: 'catches-all', title: 'Catches its own end', on: on('Catch'), uses: {} }, async () => {
  for (;;) {
    try {
      while (spun >= 0) spun += 1;
    } catch {
      spun = 0;
    }
  }
});

const waitsForNothing = definePlaybook(
  { id: 'waits-for-nothing', title: 'Waits for nothing at all', on: on('Await'), uses: {} },
  async ({ settle }) => {
    for (;;) await settle({});
  },
);

const callsItself = definePlaybook({ id: 'calls-itself', title: 'Calls itself', on: on('Recur'), uses: {} }, async () => {
  const again = async (): Promise<void> => Promise.resolve().then(again);
  await again();
});

/** Takes many turns, and waits in between: this is not a mistake. */
const worksHard = definePlaybook(
  { id: 'works-hard', title: 'Goes through much, and waits in between', on: on('Work'), uses: { snapshotPodState } },
  async ({ alert, steps, note }) => {
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 150_000; index += 1) spun += index % 2;
      await steps.snapshotPodState({ pod: alert.pod });
    }
    note('worked through');
  },
);

const matchesForEver = definePlaybook(
  { id: 'matches-for-ever', title: 'Goes back and forth in one text', on: on('Match'), uses: {} },
  async ({ note }) => {
    note(/^(a+)+$/.test(`${'a'.repeat(5_000)}b`) ? 'only a' : 'something else');
  },
);

const throwsItself = definePlaybook({ id: 'throws-itself', title: 'Throws', on: on('Throw'), uses: {} }, async ({ alert }) => {
  const { commandLine } = alert.process as { readonly commandLine: string };
  if (commandLine.length > 3) return;
});

const throwsText = definePlaybook({ id: 'throws-text', title: 'Throws a text', on: on('Text'), uses: {} }, async ({ alert }) => {
  if (alert.title !== '') throw 'no way';
});

const throwsNothing = definePlaybook(
  { id: 'throws-nothing', title: 'Throws nothing', on: on('Nothing'), uses: {} },
  async ({ alert }) => {
    if (alert.title !== '') throw undefined;
  },
);

/** The step that it calls fails: the call is what matters. */
const failsInAStep = definePlaybook(
  { id: 'fails-in-a-step', title: 'Fails in a step', on: on('Fail'), uses: { snapshotPodState } },
  async ({ alert, steps, settle }) => {
    await settle({});
    await keep();

    async function keep(): Promise<void> {
      await steps.snapshotPodState({ pod: alert.pod });
    }
  },
);

const lastsForNothing = definePlaybook(
  { id: 'lasts-for-nothing', title: 'Contains for no time', on: on('Instant'), uses: { quarantinePod } },
  async ({ alert, steps }) => {
    await steps.quarantinePod({ pod: alert.pod, lease: '0h' });
  },
);

const dropsWork = definePlaybook(
  { id: 'drops-work', title: 'Drops a promise that fails', on: on('Drop'), uses: { snapshotPodState } },
  async ({ alert, steps, note, sleep }) => {
    void aside();
    const late = beside();
    await sleep('4s');
    await late.catch(() => note('heard of the other'));
    note('went on');

    async function aside(): Promise<void> {
      await sleep('1s');
      await steps.snapshotPodState({ pod: alert.pod });
    }
    async function beside(): Promise<void> {
      await sleep('1s');
      throw new TypeError('not this one');
    }
  },
);

const dropsLate = definePlaybook(
  { id: 'drops-late', title: 'Has ended when its promise fails', on: on('Late'), uses: {} },
  async ({ note, sleep }) => {
    void sleep('1s').then(() => {
      throw new TypeError('too late');
    });
    note('ended');
  },
);

addPlaybooks(
  forgotToCount,
  catchesAll,
  waitsForNothing,
  callsItself,
  worksHard,
  matchesForEver,
  throwsItself,
  throwsText,
  throwsNothing,
  failsInAStep,
  lastsForNothing,
  dropsWork,
  dropsLate,
);

export * from '../../workflows/index.ts';
