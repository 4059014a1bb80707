import { openTicket, quarantinePod, snapshotPodState } from '../../core/actions/index.ts';
import { param } from '../../core/playbook/params.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';
import { unhurried } from '../fragments/asked.ts';

export const drillQuarantine = definePlaybook(
  {
    id: 'drill-quarantine',
    title: 'Drill: have people quarantine and release a pod that exists for drills',
    on: {
      schedule: {
        cron: '0 10 1 * *',
        timeZone: 'UTC',
        about: { namespace: 'namespace', pod: { label: 'firebreak.dev/drill', value: 'true' } },
      },
      minSeverity: 'low',
      requires: ['pod'],
    },
    params: {
      namespace: param.text('', {
        about: 'Namespace of the pod with the label firebreak.dev/drill=true. While it is empty, nothing runs.',
        longest: 63,
      }),
    },
    uses: { quarantinePod, snapshotPodState, openTicket },
    levels: unhurried,
  },
  async ({ alert, steps, ask, settle, verdict }) => {
    const { pod } = alert;
    const where = `${pod.namespace}/${pod.name}`;
    const file = (title: string, text: string) =>
      steps.openTicket({ title: `Drill: ${title}`, body: `${where}: ${text}`, labels: ['firebreak', 'drill'] });
    const { planned } = await settle({ planned: steps.quarantinePod.plan({ pod }) });
    if (!planned.ok) {
      await file('the quarantine could not be planned', planned.reason);
      return;
    }
    const begin = await ask({
      question: `This is a drill. May ${where} be quarantined for 15 minutes?`,
      choices: { begin: 'Yes', leave: 'No, not today' },
      plan: { begin: planned.value },
      onSilence: 'Nothing is done. A ticket records that nobody answered.',
    });
    if (begin.choice !== 'begin') {
      const [title, text] =
        begin.choice === 'silence'
          ? ['nobody answered', 'Nobody answered the question of the drill. In an incident, nobody would have answered either.']
          : ['it was postponed', `It was postponed by ${begin.by.join(' and ')}.`];
      await file(title, text);
      return;
    }
    const quarantine = await steps.quarantinePod({ pod, lease: '15m', onExpiry: 'release' }, begin.approval);
    const { kept } = await settle({ kept: steps.snapshotPodState({ pod }) });
    const release = await steps.quarantinePod.undo.plan(quarantine);
    const question = `This is a drill. ${where} is quarantined: ${quarantine.verification.state}. Is everything as it should be?`;
    const onSilence = 'The pod is released after 15 minutes. A ticket records that nobody answered.';
    const end = await ask({
      question,
      choices: { release: 'Yes', wrong: 'No, something is wrong' },
      plan: { release },
      onSilence,
    });
    if (end.choice === 'release') {
      verdict('benign', `a drill, said ${end.by.join(' and ')}`);
      await steps.quarantinePod.undo(quarantine, end.approval);
      await file(
        'done',
        kept.ok ? 'Quarantined, evidence kept, and released.' : `Quarantined and released. No evidence was kept: ${kept.reason}.`,
      );
      return;
    }
    await file(
      end.choice === 'silence' ? 'nobody ended it' : 'something is wrong',
      `${end.choice === 'silence' ? 'Nobody answered' : `Something is wrong, said ${end.by.join(' and ')}`}. The quarantine ends automatically.`,
    );
  },
);
