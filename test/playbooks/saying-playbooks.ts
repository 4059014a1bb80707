/** Playbooks that look first: at what is known, at their parameters, and whether the alert is for them at all. */
import { openTicket, quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import { field } from '../../core/decide/form.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { param } from '../../core/playbook/params.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const on = (rule: string) => ({ match: { rule }, minSeverity: 'low', requires: ['pod'] }) as const;

const onlyForShells = definePlaybook(
  { id: 'only-for-shells', title: 'Contains shells', on: on('Process'), uses: { quarantinePod, snapshotPodState } },
  async ({ alert, steps, skip }) => {
    await steps.snapshotPodState({ pod: alert.pod });
    if (alert.process?.name !== 'sh') skip('it is no shell');
    await steps.quarantinePod({ pod: alert.pod, lease: '1h', onExpiry: 'release' });
  },
);

const skipsTooLate = definePlaybook(
  { id: 'skips-too-late', title: 'Acts, and says that it did nothing', on: on('Late'), uses: { quarantinePod } },
  async ({ alert, steps, skip }) => {
    await steps.quarantinePod({ pod: alert.pod, lease: '1h', onExpiry: 'release' });
    skip('never mind');
  },
);

const goesOnAfterSkip = definePlaybook(
  { id: 'goes-on-after-skip', title: 'Catches its own skip', on: on('Deaf'), uses: { quarantinePod } },
  async ({ alert, steps, skip }) => {
    try {
      skip('not for me');
    } catch {
      await steps.quarantinePod({ pod: alert.pod });
    }
  },
);

const tellsWhatItKnows = definePlaybook(
  {
    id: 'tells-what-it-knows',
    title: 'Tells what it knows',
    on: on('Tell'),
    uses: { quarantinePod },
    params: { lease: param.duration('4h'), times: param.number(2, { min: 1, max: 5 }), who: param.group('oncall') },
  },
  async ({ alert, incident, params, steps, note, log }) => {
    await steps.quarantinePod({ pod: alert.pod, lease: params.lease, onExpiry: 'release' });
    const { cluster, severity, reached, rules, inForce } = incident;
    note(JSON.stringify({ cluster, severity, reached, rules, inForce, params }));
    log('looked', { rule: alert.rule, command: 'curl -u admin:hunter2hunter2 http://x', times: params.times });
  },
);

const asksForHours = definePlaybook(
  { id: 'asks-for-hours', title: 'Asks for hours', on: on('Hours'), uses: {} },
  async ({ ask, note }) => {
    const answer = await ask({
      question: 'For how long?',
      choices: { extend: 'Longer', end: 'No' },
      forms: {
        extend: {
          hours: field.number('For how many hours?', { min: 1, max: 72 }),
          who: field.people('Who looks after it?', { group: 'oncall' }),
        },
      },
      onSilence: 'It ends.',
    });
    if (answer.choice === 'extend') note(`${answer.form.hours + 1} hours, ${answer.form.who.join()}`);
    else note(answer.choice);
  },
);

const asksTheImpossible = definePlaybook(
  { id: 'asks-the-impossible', title: 'Asks for a number that is none', on: on('Impossible'), uses: {} },
  async ({ ask }) => {
    const forms = { yes: { hours: field.number('Hours?', { min: 2, max: 1 }) } };
    await ask({ question: 'Well?', choices: { yes: 'Yes' }, forms, onSilence: 'Nothing.' });
  },
);

const forgetsToWait = definePlaybook(
  { id: 'forgets-to-wait', title: 'Forgets await', on: on('Forget'), uses: { quarantinePod, snapshotPodState } },
  async ({ alert, steps }) => {
    const both = async (): Promise<void> => {
      await steps.snapshotPodState({ pod: alert.pod });
      await steps.quarantinePod({ pod: alert.pod, lease: '1h', onExpiry: 'release' });
    };
    void both();
  },
);

const forgetsWhatFails = definePlaybook(
  { id: 'forgets-what-fails', title: 'Forgets await of what fails', on: on('Forget it'), uses: { snapshotPodState } },
  async ({ alert, steps }) => {
    void steps.snapshotPodState({ pod: alert.pod });
  },
);

const levels = [{ group: 'oncall', within: '15m' }] as const;

const knowsBetter = definePlaybook(
  { id: 'knows-better', title: 'Calls it harmless without asking', on: on('Guess'), uses: { openTicket } },
  async ({ alert, steps, verdict }) => {
    verdict('benign', 'it looks fine');
    await steps.openTicket({ title: alert.title, body: 'It goes on.', labels: [] });
  },
);

const hearsWrong = definePlaybook(
  { id: 'hears-wrong', title: 'Takes a no for a yes', on: on('Deaf'), uses: {}, levels },
  async ({ ask, verdict }) => {
    const answer = await ask({
      question: 'Is it expected?',
      choices: { expected: 'Yes', unexpected: 'No' },
      harmless: ['expected'],
      onSilence: 'Nothing is done.',
    });
    verdict('benign', answer.choice);
  },
);

export const sayingPlaybooks: readonly ListedPlaybook[] = [
  onlyForShells,
  skipsTooLate,
  goesOnAfterSkip,
  tellsWhatItKnows,
  asksForHours,
  asksTheImpossible,
  forgetsToWait,
  forgetsWhatFails,
  knowsBetter,
  hearsWrong,
];
